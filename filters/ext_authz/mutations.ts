/** What an authorizer changes of a message: checked as a stranger's, then applied. */
import type { Fields } from "../../core/fields.ts";

/** Takes the place of all lines of that name · is added · only where there is none · only where there is one. */
export const SET = 0 as const, ADD = 1 as const, SET_ABSENT = 2 as const, SET_PRESENT = 3 as const;
export type MutationKind = typeof SET | typeof ADD | typeof SET_ABSENT | typeof SET_PRESENT;

/** Changes of one message. */
export const MUTATION_LIMITS = { maxFields: 128, maxBytes: 32 * 1024 } as const;

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/;
/** Visible latin-1, with spaces and tabs inside. */
const VALUE = /^([\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/** Framing and neighbourhood are the codecs' business, the caller's name the mesh's. */
const KEPT: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "proxy-connection",
  "upgrade",
  "te",
  "trailer",
  "via",
  "x-forwarded-client-cert",
]);

export function mayChange(name: string): boolean {
  return !KEPT.has(name) && !name.startsWith("x-denim-");
}

/** A list of changes; `broken` when one is not well-formed, and then none of them is to be trusted. */
export class Mutations {
  readonly #kinds: MutationKind[] = [];
  readonly #lines: string[] = [];
  readonly #removed: string[] = [];
  #bytes = 0;
  broken = false;

  get empty(): boolean {
    return this.#kinds.length === 0 && this.#removed.length === 0;
  }

  /** `name` in any case. What an authorizer may not change is left out. */
  put(kind: MutationKind, name: string, value: string): void {
    const lower = name.toLowerCase();
    if (lower.startsWith(":")) return;
    if (!NAME.test(lower) || !VALUE.test(value)) this.broken = true;
    this.#count(lower.length + value.length);
    if (this.broken || !mayChange(lower)) return;
    this.#kinds.push(kind);
    this.#lines.push(lower, value);
  }

  remove(name: string): void {
    const lower = name.toLowerCase();
    this.#count(lower.length);
    if (mayChange(lower) && NAME.test(lower)) this.#removed.push(lower);
  }

  apply(fields: Fields): void {
    for (const name of this.#removed) fields.remove(name);
    for (let i = 0; i < this.#kinds.length; i++) {
      const name = this.#lines[2 * i]!, value = this.#lines[2 * i + 1]!;
      const kind = this.#kinds[i]!;
      if (kind === ADD) fields.append(name, value);
      else if (kind === SET || fields.has(name) === (kind === SET_PRESENT)) fields.set(name, value);
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes + 4;
    const count = this.#kinds.length + this.#removed.length;
    if (this.#bytes > MUTATION_LIMITS.maxBytes || count >= MUTATION_LIMITS.maxFields) {
      this.broken = true;
    }
  }
}
