/** Data one filter keeps between exchanges and across restarts of its instance, with compare-and-set. */
import { WASM_LIMITS } from "../limits.ts";
import { STATUS } from "./abi.ts";

export interface SharedValue {
  readonly bytes: Uint8Array;
  readonly cas: number;
}

export class SharedData {
  readonly #values = new Map<string, SharedValue>();
  #bytes = 0;
  #cas = 0;

  get(key: string): SharedValue | undefined {
    return this.#values.get(key);
  }

  /** `cas` 0 writes whatever is there; another number only over the value that had it. */
  set(key: string, bytes: Uint8Array, cas: number): number {
    const old = this.#values.get(key);
    if (old !== undefined && cas !== 0 && cas !== old.cas) return STATUS.casMismatch;
    const size = this.#bytes + bytes.length - (old?.bytes.length ?? 0) +
      (old === undefined ? key.length : 0);
    if (size > WASM_LIMITS.sharedBytes) return STATUS.internalFailure;
    if (old === undefined && this.#values.size >= WASM_LIMITS.sharedKeys) {
      return STATUS.internalFailure;
    }
    this.#bytes = size;
    this.#cas = (this.#cas + 1) >>> 0 || 1;
    this.#values.set(key, { bytes, cas: this.#cas });
    return STATUS.ok;
  }
}
