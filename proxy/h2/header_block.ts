/** A header block as it comes in: HEADERS, then CONTINUATION until END_HEADERS (RFC 9113 4.3). */
import { ENHANCE_YOUR_CALM, NO_ERROR } from "./frame.ts";
import type { H2Limits } from "./limits.ts";

const NOTHING = new Uint8Array(0);

export class HeaderBlock {
  readonly #limits: H2Limits;
  /** The stream it belongs to; 0: none is under way. */
  id = 0;
  /** HEADERS had END_STREAM. */
  ends = false;
  #bytes: Uint8Array = NOTHING;
  #length = 0;
  #frames = 0;

  constructor(limits: H2Limits) {
    this.#limits = limits;
  }

  begin(id: number, ends: boolean): void {
    this.id = id;
    this.ends = ends;
    this.#length = 0;
    this.#frames = 0;
  }

  /** Adds a frame's fragment; an error code when the block is over its limits (CVE-2024-27316 and kin). */
  add(fragment: Uint8Array): number {
    const length = this.#length + fragment.length;
    const { headerBlockBytes, continuationFrames } = this.#limits;
    if (length > headerBlockBytes || this.#frames > continuationFrames) return ENHANCE_YOUR_CALM;
    this.#frames++;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2, 1024));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(fragment, this.#length);
    this.#length = length;
    return NO_ERROR;
  }

  /** The whole block; the next one may begin. */
  finish(): Uint8Array {
    const whole = this.#bytes.subarray(0, this.#length);
    this.#bytes = NOTHING;
    this.id = 0;
    return whole;
  }
}
