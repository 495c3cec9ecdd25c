/**
 * Promises for an engine that runs no jobs of its own while the proxy calls a filter: the SDK runs them, and
 * a hook that awaits answers is finished before its call returns. Built filters have this as `Promise`.
 */
type Fulfilled<T, R> = ((value: T) => R | PromiseLike<R>) | null | undefined;
type Rejected<R> = ((reason: unknown) => R | PromiseLike<R>) | null | undefined;
type Resolve<T> = (value: T | PromiseLike<T>) => void;
type Reject = (reason?: unknown) => void;

const PENDING = 0, FULFILLED = 1, REJECTED = 2;

const jobs: (() => void)[] = [];

/** Runs what settled promises have led to, and what that leads to. */
export function runJobs(): void {
  for (let at = 0; at < jobs.length; at++) jobs[at]!();
  jobs.length = 0;
}

export class FilterPromise<T> implements PromiseLike<T> {
  #state: typeof PENDING | typeof FULFILLED | typeof REJECTED = PENDING;
  #value: unknown = undefined;
  #reactions: (() => void)[] = [];

  constructor(executor: (resolve: Resolve<T>, reject: Reject) => void) {
    let called = false;
    const once = (settle: (value: unknown) => void) => (value?: unknown): void => {
      if (!called) settle(value);
      called = true;
    };
    try {
      executor(
        once((value) => this.#resolve(value)) as Resolve<T>,
        once((reason) => this.#settle(REJECTED, reason)),
      );
    } catch (error) {
      once((reason) => this.#settle(REJECTED, reason))(error);
    }
  }

  get pending(): boolean {
    return this.#state === PENDING;
  }

  /** The value of a settled promise; throws the reason of a rejected one. */
  unwrap(): T {
    if (this.#state === REJECTED) throw this.#value;
    return this.#value as T;
  }

  then<A = T, B = never>(
    fulfilled?: Fulfilled<T, A>,
    rejected?: Rejected<B>,
  ): FilterPromise<A | B> {
    return new FilterPromise<A | B>((resolve, reject) => {
      const react = (): void => {
        const handler = this.#state === FULFILLED ? fulfilled : rejected;
        try {
          if (typeof handler === "function") resolve(handler(this.#value as T));
          else if (this.#state === FULFILLED) resolve(this.#value as A);
          else reject(this.#value);
        } catch (error) {
          reject(error);
        }
      };
      if (this.#state === PENDING) this.#reactions.push(react);
      else jobs.push(react);
    });
  }

  catch<B = never>(rejected?: Rejected<B>): FilterPromise<T | B> {
    return this.then(undefined, rejected);
  }

  finally(done?: (() => void) | null): FilterPromise<T> {
    return this.then(
      (value) => FilterPromise.resolve(done?.()).then(() => value),
      (reason) =>
        FilterPromise.resolve(done?.()).then(() => {
          throw reason;
        }),
    );
  }

  #resolve(value: unknown): void {
    let then: unknown;
    try {
      const thenable = (typeof value === "object" && value !== null) || typeof value === "function";
      then = thenable ? (value as { then?: unknown }).then : undefined;
    } catch (error) {
      return this.#settle(REJECTED, error);
    }
    if (typeof then !== "function") return this.#settle(FULFILLED, value);
    const inner = new FilterPromise<unknown>((resolve, reject) =>
      then.call(value, resolve, reject)
    );
    inner.#then((state, settled) => this.#settle(state, settled));
  }

  #then(done: (state: typeof FULFILLED | typeof REJECTED, value: unknown) => void): void {
    const react = (): void => done(this.#state as typeof FULFILLED, this.#value);
    if (this.#state === PENDING) this.#reactions.push(react);
    else react();
  }

  #settle(state: typeof FULFILLED | typeof REJECTED, value: unknown): void {
    this.#state = state;
    this.#value = value;
    jobs.push(...this.#reactions);
    this.#reactions = [];
  }

  static resolve<T>(value?: T | PromiseLike<T>): FilterPromise<T> {
    if (value instanceof FilterPromise) return value as FilterPromise<T>;
    return new FilterPromise<T>((resolve) => resolve(value as T));
  }

  static reject<T = never>(reason?: unknown): FilterPromise<T> {
    return new FilterPromise<T>((_resolve, reject) => reject(reason));
  }

  static withResolvers<T>(): { promise: FilterPromise<T>; resolve: Resolve<T>; reject: Reject } {
    let resolve!: Resolve<T>, reject!: Reject;
    const promise = new FilterPromise<T>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    return { promise, resolve, reject };
  }

  static all<T>(values: Iterable<T | PromiseLike<T>>): FilterPromise<T[]> {
    return collect(values, (results, resolve) => ({
      fulfilled: (value, at) => void (results[at] = value),
      done: () => resolve(results as T[]),
      rejected: null,
    }));
  }

  static allSettled<T>(
    values: Iterable<T | PromiseLike<T>>,
  ): FilterPromise<PromiseSettledResult<T>[]> {
    return collect(values, (results, resolve) => ({
      fulfilled: (value, at) => void (results[at] = { status: "fulfilled", value }),
      rejected: (reason, at) => void (results[at] = { status: "rejected", reason }),
      done: () => resolve(results as PromiseSettledResult<T>[]),
    }));
  }

  static any<T>(values: Iterable<T | PromiseLike<T>>): FilterPromise<T> {
    const all = [...values];
    return new FilterPromise<T>((resolve, reject) => {
      const reasons: unknown[] = [];
      let left = all.length;
      if (left === 0) reject(new Error("All promises were rejected"));
      all.forEach((value, at) =>
        FilterPromise.resolve(value).then(resolve, (reason) => {
          reasons[at] = reason;
          if (--left > 0) return;
          reject(Object.assign(new Error("All promises were rejected"), { errors: reasons }));
        })
      );
    });
  }

  static race<T>(values: Iterable<T | PromiseLike<T>>): FilterPromise<T> {
    return new FilterPromise<T>((resolve, reject) => {
      for (const value of values) FilterPromise.resolve(value).then(resolve, reject);
    });
  }
}

interface Collector {
  fulfilled(value: unknown, at: number): void;
  readonly rejected: ((reason: unknown, at: number) => void) | null;
  done(): void;
}

function collect<R>(
  values: Iterable<unknown>,
  make: (results: unknown[], resolve: Resolve<R>) => Collector,
): FilterPromise<R> {
  const all = [...values];
  return new FilterPromise<R>((resolve, reject) => {
    const { fulfilled, rejected, done } = make([], resolve);
    let left = all.length;
    const settled = (): void => {
      if (--left === 0) done();
    };
    if (left === 0) done();
    all.forEach((value, at) =>
      FilterPromise.resolve(value).then((result) => {
        fulfilled(result, at);
        settled();
      }, (reason) => {
        if (rejected === null) return reject(reason);
        rejected(reason, at);
        settled();
      })
    );
  });
}
