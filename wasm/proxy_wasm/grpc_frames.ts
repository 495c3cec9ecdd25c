/** gRPC's framing of messages (PROTOCOL-HTTP2): a byte that says whether it is compressed, and a length. */

const PREFIX_BYTES = 5;

export function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

/** Takes messages out of bytes as they come. */
export class Unframer {
  readonly #most: number;
  #waiting: Uint8Array = new Uint8Array(0);

  /** `most`: bytes of one message. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The messages that are whole now, copied; null: one is compressed, which was not offered, or too large. */
  take(bytes: Uint8Array): Uint8Array[] | null {
    const all = new Uint8Array(this.#waiting.length + bytes.length);
    all.set(this.#waiting);
    all.set(bytes, this.#waiting.length);
    const view = new DataView(all.buffer);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (all.length - at >= PREFIX_BYTES) {
      const length = view.getUint32(at + 1);
      if (all[at] !== 0 || length > this.#most) return null;
      if (all.length - at - PREFIX_BYTES < length) break;
      messages.push(all.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length));
      at += PREFIX_BYTES + length;
    }
    this.#waiting = all.subarray(at);
    return messages;
  }

  /** Part of a message is still to come. */
  get inside(): boolean {
    return this.#waiting.length > 0;
  }
}
