/**
 * Room for bytes that leave within this turn of the event loop, cut from one slab that is used over and
 * over. The engine keeps book of every array outside its heap, counts it towards its limit and frees it
 * with a call: a proxy that makes arrays of what passes through spends a quarter of its time on that.
 *
 *   room() … room() ──▶ written to the system ──▶ nothing waits any more ──▶ rewind(): from the front again
 *                                └── the system takes some of it later ──▶ lend(), another slab meanwhile
 */

export const SLAB_BYTES = 256 * 1024;
/** Larger pieces get memory of their own, or a slab would end half empty too often. */
export const MOST_SHARED_BYTES = SLAB_BYTES / 4;
/** Slabs kept for when one is lent. */
const MOST_SPARE = 3;

export interface Slab {
  readonly bytes: Uint8Array;
  /** What lies before has been given out. */
  at: number;
}

/** The one in use. */
export let slab: Slab = fresh(SLAB_BYTES);
const spare: Slab[] = [];

/** `size` bytes that hold anything: the caller writes every one of them before they leave. */
export function room(size: number): Uint8Array {
  if (size > MOST_SHARED_BYTES) return new Uint8Array(size);
  const from = reserve(size);
  slab.at = from + size;
  return slab.bytes.subarray(from, slab.at);
}

/** Where `size` bytes begin that the caller may fill; it moves `slab.at` behind those it did. */
export function reserve(size: number): number {
  if (slab.at + size > slab.bytes.length) slab = fresh(Math.max(SLAB_BYTES, size));
  return slab.at;
}

/** Whether the bytes lie in the slab, where they stay as they are until it is rewound. */
export function isShared(bytes: Uint8Array): boolean {
  return bytes.buffer === slab.bytes.buffer;
}

/** All that was given out has left. */
export function rewind(): void {
  if (poison) slab.bytes.fill(0xdb, 0, slab.at);
  slab.at = 0;
}

/** Some of what was given out must stay as it is until {@link giveBack}. */
export function lend(): Slab {
  const lent = slab;
  slab = spare.pop() ?? fresh(SLAB_BYTES);
  return lent;
}

/** Nobody looks at it any more. */
export function giveBack(lent: Slab): void {
  if (spare.length >= MOST_SPARE || lent.bytes.length !== SLAB_BYTES) return;
  if (poison) lent.bytes.fill(0xdb);
  lent.at = 0;
  spare.push(lent);
}

function fresh(size: number): Slab {
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
