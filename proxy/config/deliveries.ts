/** What a proxy asks of its control plane by name: once each, and not for ever. */

/** How long the control plane may take to send one. */
export const DELIVERY_TIMEOUT_MS = 30_000;

interface Awaited<T> {
  readonly arrived: PromiseWithResolvers<T>;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class Deliveries<T> {
  readonly #what: string;
  /** Those who ask for one while it is being got wait for the same. */
  readonly #getting = new Map<string, Promise<T>>();
  readonly #awaited = new Map<string, Awaited<T>>();
  #ask: ((name: string) => void) | null = null;

  /** `what` they are, for messages: "module". */
  constructor(what: string) {
    this.#what = what;
  }

  /** From `keep`, or else from the control plane and then kept; rejects with a sentence. */
  get(name: string, keep: Keep<T>): Promise<T> {
    const under = this.#getting.get(name);
    if (under !== undefined) return under;
    const work = this.#get(name, keep).finally(() => this.#getting.delete(name));
    this.#getting.set(name, work);
    return work;
  }

  /** There is a connection to ask on. */
  connected(ask: (name: string) => void): void {
    this.#ask = ask;
  }

  /** There is none any more: what is waited for will not come. */
  disconnected(): void {
    this.#ask = null;
    this.refused("the connection to the control plane was lost");
  }

  /** The control plane said that it cannot send what was asked for. */
  refused(reason: string): void {
    for (const name of [...this.#awaited.keys()]) this.fail(name, reason);
  }

  awaits(name: string): boolean {
    return this.#awaited.has(name);
  }

  arrived(name: string, value: T): void {
    const one = this.#awaited.get(name);
    this.#forget(name);
    one?.arrived.resolve(value);
  }

  fail(name: string, reason: string): void {
    const one = this.#awaited.get(name);
    this.#forget(name);
    one?.arrived.reject(this.#problem(name, reason));
  }

  async #get(name: string, keep: Keep<T>): Promise<T> {
    const kept = await keep.read(name);
    if (kept !== null) return kept;
    const value = await this.#fetch(name);
    await keep.write(name, value);
    return value;
  }

  #fetch(name: string): Promise<T> {
    if (this.#ask === null) {
      return Promise.reject(this.#problem(name, "there is no connection to the control plane"));
    }
    const arrived = Promise.withResolvers<T>();
    const timer = setTimeout(
      () => this.fail(name, `it did not come within ${DELIVERY_TIMEOUT_MS} ms`),
      DELIVERY_TIMEOUT_MS,
    );
    this.#awaited.set(name, { arrived, timer });
    this.#ask(name);
    return arrived.promise;
  }

  #forget(name: string): void {
    clearTimeout(this.#awaited.get(name)?.timer);
    this.#awaited.delete(name);
  }

  #problem(name: string, reason: string): Error {
    return new Error(`Cannot get ${this.#what} "${name.slice(0, 19)}…": ${reason}`);
  }
}

/** Where they stay between runs. */
export interface Keep<T> {
  read(name: string): Promise<T | null>;
  write(name: string, value: T): Promise<void>;
}
