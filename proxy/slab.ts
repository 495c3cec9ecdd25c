/**
 * Room for bytes that leave within this turn of the event loop, cut from one slab that is used over and
 * over. The engine keeps book of every array outside its heap, counts it towards its limit and frees it
 * with a call: a proxy that makes arrays of what passes through spends a quarter of its time on that.
 *
 *   room() … room() ──▶ written to the system ──▶ nothing waits any more ──▶ rewind(): from the front again
 *                                └── the system takes some of it later ──▶ lend(), another slab meanwhile
 */
import { allocated } from "./scavenge.ts";

export const SLAB_BYTES = 256 * 1024;
/** Larger pieces get memory of their own, or a slab would end half empty too often. */
export const MOST_SHARED_BYTES = SLAB_BYTES / 4;
/** Slabs kept for when one is full or lent. */
const MOST_SPARE = 4;

export interface Slab {
  readonly bytes: Uint8Array;
  /** What lies before has been given out. */
  at: number;
}

const spare: Slab[] = [];
/** Given out to the end since the last rewind. */
let full: Slab[] = [];
/** The one in use. */
export let slab: Slab = fresh(SLAB_BYTES);

/** `size` bytes that hold anything: the caller writes every one of them before they leave. */
export function room(size: number): Uint8Array {
  if (size > MOST_SHARED_BYTES) {
    allocated(size);
    return new Uint8Array(size);
  }
  const from = reserve(size);
  slab.at = from + size;
  return slab.bytes.subarray(from, slab.at);
}

/** Where `size` bytes begin that the caller may fill; it moves `slab.at` behind those it did. */
export function reserve(size: number): number {
  if (slab.at + size > slab.bytes.length) {
    // While one connection's peer does not read nothing is rewound: what else passes must not pile up.
    if (full.length < MOST_SPARE) full.push(slab);
    slab = size > SLAB_BYTES ? fresh(size) : spare.pop() ?? fresh(SLAB_BYTES);
  }
  return slab.at;
}

/** All that was given out has left. */
export function rewind(): void {
  if (full.length > 0) {
    giveBack(full);
    full = [];
  }
  if (poison) slab.bytes.fill(0xdb, 0, slab.at);
  slab.at = 0;
  if (slab.bytes.length !== SLAB_BYTES) slab = spare.pop() ?? fresh(SLAB_BYTES); // made for one large piece
}

/** What was given out stays as it is until {@link giveBack}. */
export function lend(): readonly Slab[] {
  const lent = full;
  lent.push(slab);
  full = [];
  slab = spare.pop() ?? fresh(SLAB_BYTES);
  return lent;
}

/** Nobody looks at it any more. */
export function giveBack(lent: readonly Slab[]): void {
  for (const one of lent) {
    if (poison) one.bytes.fill(0xdb);
    if (spare.length >= MOST_SPARE || one.bytes.length !== SLAB_BYTES) continue;
    one.at = 0;
    spare.push(one);
  }
}

function fresh(size: number): Slab {
  allocated(size);
  return { bytes: new Uint8Array(size), at: 0 };
}

/** For tests (DENIM_DEBUG=poison): what nobody may look at any more is overwritten at once. */
export const poison = debugging("poison");

function debugging(what: string): boolean {
  try {
    if (Deno.permissions.querySync({ name: "env", variable: "DENIM_DEBUG" }).state !== "granted") {
      return false;
    }
    return (Deno.env.get("DENIM_DEBUG") ?? "").split(",").includes(what);
  } catch {
    return false;
  }
}
