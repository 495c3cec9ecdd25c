/** A memory of bounded size: two generations, of which the older is forgotten when the younger is full. */
import { JWT_LIMITS } from "./limits.ts";

/** Every entry costs some characters; a found one is young again. Each step costs the same, however full it is. */
export class TokenCache<V> {
  readonly #most: number;
  readonly #mostChars: number;
  #young = new Map<string, Held<V>>();
  #old = new Map<string, Held<V>>();
  #youngChars = 0;

  constructor(
    most: number = JWT_LIMITS.cachedTokens,
    mostChars: number = JWT_LIMITS.cachedChars,
  ) {
    // Each generation may hold half.
    this.#most = most >> 1;
    this.#mostChars = mostChars >> 1;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young.value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#add(key, old);
    return old.value;
  }

  set(key: string, value: V, chars: number): void {
    if (chars > this.#mostChars) return;
    this.delete(key);
    this.#add(key, { value, chars });
  }

  delete(key: string): void {
    const young = this.#young.get(key);
    if (young !== undefined) this.#youngChars -= young.chars;
    this.#young.delete(key);
    this.#old.delete(key);
  }

  #add(key: string, held: Held<V>): void {
    if (this.#young.size >= this.#most || this.#youngChars + held.chars > this.#mostChars) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngChars = 0;
    }
    this.#young.set(key, held);
    this.#youngChars += held.chars;
  }
}

interface Held<V> {
  readonly value: V;
  readonly chars: number;
}
