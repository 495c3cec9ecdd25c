/** Stand-in for `@std/crypto` over Web Crypto; deno.json can point the import at `jsr:@std/crypto@1` instead. */

export const crypto: Crypto = globalThis.crypto;

/** Compares two byte strings in time that depends on their lengths only. */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let diff = 0;
  for (let i = 0; i < a.length; i++) diff |= a[i]! ^ b[i]!;
  return diff === 0;
}
