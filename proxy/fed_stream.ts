/** The half of a stream that both codecs share: who feeds it, and how the wire's pressure reaches that source. */
import type { Source } from "../core/stream.ts";

export abstract class FedStream {
  readonly id: number;
  #feeder: Source | null = null;
  #held = false;

  constructor(id: number) {
    this.id = id;
  }

  get feeder(): Source | null {
    return this.#feeder;
  }
  set feeder(feeder: Source | null) {
    const before = this.#feeder;
    this.#feeder = feeder;
    if (!this.#held || feeder === before) return;
    before?.resume(); // it must not wait for ever for a stream it no longer feeds
    feeder?.pause();
  }

  /** The wire is full. @internal */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#feeder?.pause();
  }

  /** The wire has room again. @internal */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#feeder?.resume();
  }

  /** The stream has left the codec. @internal */
  detach(): void {
    this.release();
    this.#feeder = null;
  }
}
