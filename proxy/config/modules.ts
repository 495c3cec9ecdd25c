/** Wasm artefacts by digest: from disk, or asked of the control plane once; checked either way. */
import type { LastGood } from "./last_good.ts";
import { sha256 } from "./files.ts";

/** How long the control plane may take to send one. */
export const MODULE_TIMEOUT_MS = 30_000;

interface Awaited {
  readonly arrived: PromiseWithResolvers<Uint8Array<ArrayBuffer>>;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class Modules {
  readonly #lastGood: LastGood;
  readonly #getting = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  readonly #awaited = new Map<string, Awaited>();
  #ask: ((digest: string) => void) | null = null;

  constructor(lastGood: LastGood) {
    this.#lastGood = lastGood;
  }

  /**
   * The bytes of a module; rejects with a sentence when they cannot be had now. Two filters of one
   * module ask at the same time: one of them reads, fetches and writes for both.
   */
  get(digest: string): Promise<Uint8Array<ArrayBuffer>> {
    const under = this.#getting.get(digest);
    if (under !== undefined) return under;
    const work = this.#get(digest).finally(() => this.#getting.delete(digest));
    this.#getting.set(digest, work);
    return work;
  }

  async #get(digest: string): Promise<Uint8Array<ArrayBuffer>> {
    const kept = await this.#lastGood.readModule(digest);
    if (kept !== null) return kept;
    const bytes = await this.#fetch(digest);
    await this.#lastGood.writeModule(digest, bytes);
    return bytes;
  }

  /** There is a connection to ask on. */
  connected(ask: (digest: string) => void): void {
    this.#ask = ask;
  }

  /** There is none any more: what is waited for will not come. */
  disconnected(): void {
    this.#ask = null;
    this.#failAll("the connection to the control plane was lost");
  }

  /** The control plane said that it cannot send what was asked for. */
  refused(reason: string): void {
    this.#failAll(reason);
  }

  async received(digest: string, bytes: Uint8Array): Promise<void> {
    const one = this.#awaited.get(digest);
    if (one === undefined) return; // not asked for, or no longer waited for
    const own = new Uint8Array(bytes);
    if (`sha256:${await sha256(own)}` !== digest) {
      return this.#fail(digest, "what the control plane sent is not what the digest says");
    }
    this.#forget(digest);
    one.arrived.resolve(own);
  }

  #fetch(digest: string): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#ask === null) {
      return Promise.reject(problem(digest, "there is no connection to the control plane"));
    }
    const arrived = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    const timer = setTimeout(
      () => this.#fail(digest, `it did not come within ${MODULE_TIMEOUT_MS} ms`),
      MODULE_TIMEOUT_MS,
    );
    this.#awaited.set(digest, { arrived, timer });
    this.#ask(digest);
    return arrived.promise;
  }

  #failAll(reason: string): void {
    for (const digest of [...this.#awaited.keys()]) this.#fail(digest, reason);
  }

  #fail(digest: string, reason: string): void {
    const one = this.#awaited.get(digest);
    this.#forget(digest);
    one?.arrived.reject(problem(digest, reason));
  }

  #forget(digest: string): void {
    clearTimeout(this.#awaited.get(digest)?.timer);
    this.#awaited.delete(digest);
  }
}

function problem(digest: string, reason: string): Error {
  return new Error(`Cannot get module "${digest.slice(0, 19)}…": ${reason}`);
}
