/** Counts what is legal once and an attack in numbers, per connection: a leaking bucket and an allowance. */
import type { H2Limits } from "./limits.ts";

/** What is counted, as metrics and the log name it. */
export const GLITCHES = [
  "ack", // of a SETTINGS or PING that was never sent
  "closed_stream",
  "empty_frame",
  "goaway",
  "head_too_large",
  "ping",
  "priority",
  "refused_stream",
  "reset",
  "settings",
  "stalled",
  "stream_error",
  "unknown_frame",
  "window_update",
] as const;
export type Glitch = typeof GLITCHES[number];

/** Every stream that is opened excuses half a glitch: resets count when they are more than every second one. */
const EXCUSED_BY_STREAM = 0.5;
/** What a stream explains of the peer's control frames; see limits.ts. */
const FRAMES_BY_STREAM = 2;

export class Glitches {
  readonly #limits: H2Limits;
  readonly #nowMs: () => number;
  readonly #counted: (what: Glitch) => void;
  #level = 0;
  #atMs = 0;
  #allowance: number;
  /** How many of each; null: none at all, which is the rule. */
  #counts: Map<Glitch, number> | null = null;

  constructor(limits: H2Limits, nowMs: () => number, counted: (what: Glitch) => void) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#counted = counted;
    this.#allowance = limits.freeFrames;
  }

  /** All since the connection began, by what they were. */
  get counts(): ReadonlyMap<Glitch, number> {
    return this.#counts ?? new Map();
  }

  /** One glitch; false when it was one too many. */
  add(what: Glitch): boolean {
    const now = this.#nowMs();
    const leaked = ((now - this.#atMs) / 1000) * this.#limits.glitchesPerSecond;
    this.#level = Math.max(0, this.#level - leaked) + 1;
    this.#atMs = now;
    const counts = this.#counts ??= new Map();
    counts.set(what, (counts.get(what) ?? 0) + 1);
    this.#counted(what);
    return this.#level <= this.#limits.glitches;
  }

  /** A stream has begun. */
  opened(): void {
    this.earn(FRAMES_BY_STREAM);
    if (this.#level > 0) this.#level = Math.max(0, this.#level - EXCUSED_BY_STREAM);
  }

  /** Work was done that explains `frames` of the peer's control frames. */
  earn(frames: number): void {
    this.#allowance = Math.min(this.#limits.freeFrames * 100, this.#allowance + frames);
  }

  /** A control frame that the exchanges explain while there are such: a glitch beyond that. */
  spend(what: Glitch): boolean {
    if (this.#allowance < 1) return this.add(what);
    this.#allowance--;
    return true;
  }
}
