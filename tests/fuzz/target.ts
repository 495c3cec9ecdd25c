/** What a fuzz target is, and the chance it is given. */
import { seededRandom } from "../../core/clock.ts";

/** A whole number below `below`; the same seed gives the same numbers everywhere. */
export type Random = (below: number) => number;

export interface Target {
  /** Needed before anything else: what cannot be made at import. */
  prepare?(): Promise<void>;
  /** An input that is mostly right: what is refused at its first byte shows nothing. */
  generate(random: Random): Uint8Array;
  /**
   * Throws on a finding. `random` depends on the input alone (how it is cut, what is answered), so that a
   * kept input is the whole finding.
   */
  attempt(input: Uint8Array, random: Random): void;
  /** After some runs: what was hardly ever reached; null when all is well. */
  shallow?(runs: number): string | null;
}

export function randomOf(seed: number): Random {
  const random = seededRandom(seed);
  return (below) => Math.floor(random() * below);
}

/** The chance that belongs to one run: any run can be made again without those before it. */
export function randomOfRun(seed: number, run: number): Random {
  return randomOf(Math.imul(seed ^ (run + 1), 0x9e3779b1));
}

/** The chance that belongs to an input. */
export function randomOfInput(input: Uint8Array): Random {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return randomOf(hash);
}

export function pick<T>(list: readonly T[], random: Random): T {
  return list[random(list.length)]!;
}

/** `bytes` in pieces of one to a few, or of many bytes. */
export function split(bytes: Uint8Array, random: Random): Uint8Array[] {
  const found: Uint8Array[] = [];
  const most = 1 + random(random(2) === 0 ? 4 : 200);
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(most);
    found.push(bytes.slice(at, at + size));
    at += size;
  }
  return found;
}

/** Throws when two accounts of one input are not the same, with the first line that differs. */
export function same(what: string, one: readonly string[], other: readonly string[]): void {
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    if (one[i] === other[i]) continue;
    throw new Error(
      `${what}: line ${i} is ${JSON.stringify(one[i])}, not ${JSON.stringify(other[i])}`,
    );
  }
}
