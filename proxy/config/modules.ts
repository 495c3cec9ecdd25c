/** Wasm artefacts by digest: from disk, or asked of the control plane once; checked either way. */
import { Deliveries, type Keep } from "./deliveries.ts";
import type { LastGood } from "./last_good.ts";
import { sha256 } from "./files.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export class Modules {
  readonly #keep: Keep<Bytes>;
  readonly #deliveries = new Deliveries<Bytes>("module");

  constructor(lastGood: LastGood) {
    this.#keep = {
      read: (digest) => lastGood.readModule(digest),
      write: (digest, bytes) => lastGood.writeModule(digest, bytes),
    };
  }

  /** The bytes of a module; rejects with a sentence when they cannot be had now. */
  get(digest: string): Promise<Bytes> {
    return this.#deliveries.get(digest, this.#keep);
  }

  connected(ask: (digest: string) => void): void {
    this.#deliveries.connected(ask);
  }
  disconnected(): void {
    this.#deliveries.disconnected();
  }
  refused(reason: string): void {
    this.#deliveries.refused(reason);
  }

  async received(digest: string, bytes: Uint8Array): Promise<void> {
    if (!this.#deliveries.awaits(digest)) return; // not asked for, or no longer waited for
    const own = new Uint8Array(bytes);
    if (`sha256:${await sha256(own)}` === digest) return this.#deliveries.arrived(digest, own);
    this.#deliveries.fail(digest, "what the control plane sent is not what the digest says");
  }
}
