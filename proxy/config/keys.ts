/** Private keys of a gateway's certificates by name: from disk, or asked of the control plane once; checked either way. */
import type { KeySource } from "../certificates.ts";
import { keyName } from "../tls/mod.ts";
import { Deliveries, type Keep } from "./deliveries.ts";
import type { LastGood } from "./last_good.ts";

export class Keys implements KeySource {
  readonly #keep: Keep<string>;
  readonly #deliveries = new Deliveries<string>("private key");

  constructor(lastGood: LastGood) {
    this.#keep = {
      read: (name) => lastGood.readKey(name),
      write: (name, pem) => lastGood.writeKey(name, pem),
    };
  }

  get(name: string): Promise<string> {
    return this.#deliveries.get(name, this.#keep);
  }

  connected(ask: (name: string) => void): void {
    this.#deliveries.connected(ask);
  }
  disconnected(): void {
    this.#deliveries.disconnected();
  }
  refused(reason: string): void {
    this.#deliveries.refused(reason);
  }

  received(name: string, pem: string): void {
    if (!this.#deliveries.awaits(name)) return;
    if (keyName(pem) === name) return this.#deliveries.arrived(name, pem);
    this.#deliveries.fail(name, "what the control plane sent is another key");
  }
}
