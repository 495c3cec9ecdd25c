/** One end of the stream between proxy and control plane: frames in and out over a socket, bounded both ways. */
import type { Duplex } from "node:stream";
import {
  decodeModule,
  encodeJson,
  encodeModule,
  FRAME_JSON,
  FRAME_MODULE,
  FrameReader,
  type FromProxy,
  MAX_FRAME_BYTES,
  type ToProxy,
} from "./protocol.ts";

/** A peer that leaves more than this unread is cut off: it may come back and ask again. */
export const MAX_UNSENT_BYTES = 2 * MAX_FRAME_BYTES;
/** After the last frame a peer has so long to read it and to close. */
const LINGER_MS = 2000;

export interface FrameEvents {
  json(payload: Uint8Array): void;
  module(digest: string, bytes: Uint8Array): void;
  /** Exactly once, last; "" when the other end closed in order. */
  closed(reason: string): void;
}

export class FrameSocket {
  readonly #socket: Duplex;
  readonly #events: FrameEvents;
  readonly #reader: FrameReader;
  /** Told when their module has left, or when the connection has gone. */
  readonly #unsent = new Set<() => void>();
  #reason = "";
  #ended = false;
  #closed = false;

  constructor(socket: Duplex, events: FrameEvents, maxFrameBytes: number = MAX_FRAME_BYTES) {
    this.#socket = socket;
    this.#events = events;
    this.#reader = new FrameReader(maxFrameBytes);
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.on("error", (error: Error) => this.#fail(error.message));
    socket.on("end", () => this.#socket.end());
    socket.on("close", () => this.#close());
  }

  send(message: ToProxy | FromProxy): void {
    this.#write(encodeJson(message));
  }

  /** Resolves when the bytes have left this process or never will, so that one module at a time is in memory. */
  sendModule(digest: string, bytes: Uint8Array): Promise<void> {
    if (this.#ended || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#unsent.delete(done);
        resolve();
      };
      this.#unsent.add(done);
      this.#write(encodeModule(digest, bytes), done);
    });
  }

  /** Sends what is queued, then closes. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    Deno.unrefTimer(timer);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  destroy(reason: string): void {
    this.#fail(reason);
  }

  #received(bytes: Uint8Array): void {
    if (this.#closed) return;
    const frames = this.#reader.push(bytes);
    if (frames === "too large") return this.#fail("A frame is larger than the limit");
    for (const { kind, payload } of frames) {
      if (this.#closed) return;
      if (kind === FRAME_JSON) this.#events.json(payload);
      else if (kind === FRAME_MODULE) {
        const { digest, bytes } = decodeModule(payload);
        this.#events.module(digest, bytes);
      } else return this.#fail(`A frame is of unknown kind ${kind}`);
    }
  }

  #write(frame: Uint8Array, done?: () => void): void {
    if (this.#ended || this.#closed) return done?.();
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) {
      this.#fail("The other end does not read");
      return done?.();
    }
    this.#socket.write(frame, () => done?.());
  }

  #fail(reason: string): void {
    if (this.#reason === "") this.#reason = reason;
    this.#socket.destroy();
    // A socket that never connected may not say that it closed.
    queueMicrotask(() => this.#close());
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const done of [...this.#unsent]) done();
    this.#events.closed(this.#reason);
  }
}
