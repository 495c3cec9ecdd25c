/** The two directions of a connection that has become a tunnel: bytes as they come, each end by itself. */
import type { Wire } from "../core/stream.ts";

/** A wire that can also end so that the peer sees that something is missing. */
export interface ResettableWire extends Wire {
  /** Closes at once, with a TCP reset. */
  reset(): void;
}

export class Tunnel {
  readonly #wire: ResettableWire;
  /** The peer has sent its last byte, and it was passed on. */
  received = false;
  /** We have sent ours. */
  sent = false;

  constructor(wire: ResettableWire) {
    this.#wire = wire;
  }

  get over(): boolean {
    return this.received && this.sent;
  }

  /** False: the wire is above its mark. */
  send(bytes: Uint8Array, end: boolean): boolean {
    if (this.sent) return true;
    const room = bytes.length === 0 || this.#wire.write(bytes);
    if (end) {
      this.sent = true;
      this.#wire.end();
    }
    return room;
  }

  /** Something is missing: the peer must not take it for an end. */
  cut(): void {
    this.#wire.reset();
  }
}
