/** The same program as a module the engine does not know yet. */
import { concat } from "../../core/bytes.ts";

/** With a custom section of no meaning at its end; `n` is a byte that tells such modules apart. */
export function another(bytes: Uint8Array, n: number): Uint8Array<ArrayBuffer> {
  return concat([bytes, Uint8Array.of(0, 3, 1, 0x6e, n)]);
}
