/**
 * Room for bytes that leave soon, cut from shared slabs: the engine keeps book of every array outside its
 * heap and frees each with a call, which costs more than the bytes do when each frame has its own.
 */
const SLAB_BYTES = 64 * 1024;
/** Larger pieces get memory of their own, or a slab would end half empty too often. */
const MOST_SHARED_BYTES = SLAB_BYTES / 4;

let slab = new Uint8Array(SLAB_BYTES);
let at = 0;

/** `size` bytes that hold anything: the caller writes every one of them before they leave. */
export function room(size: number): Uint8Array {
  if (size > MOST_SHARED_BYTES) return new Uint8Array(size);
  if (at + size > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    at = 0;
  }
  const from = at;
  at += size;
  return slab.subarray(from, at);
}
