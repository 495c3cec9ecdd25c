/** Request, response and body as hooks see them: plain to read, and every change is remembered. */
import { FilterHeaders } from "./headers.ts";
import type { BodyEdits, Content, Edits, RequestHeadRecord, ResponseHeadRecord } from "./wit.ts";

/** The head of a request. Assign to `path`, `method` or `host` to change them. */
export class FilterRequest {
  readonly headers: FilterHeaders;
  readonly scheme: string;
  #method: string;
  #host: string;
  #path: string;
  #edits: { path?: string; method?: string; authority?: string } = {};

  constructor(head: RequestHeadRecord) {
    this.headers = new FilterHeaders(head.headers);
    this.scheme = head.scheme;
    this.#method = head.method;
    this.#host = head.authority;
    this.#path = head.path;
  }

  get method(): string {
    return this.#method;
  }
  set method(value: string) {
    this.#method = this.#edits.method = value;
  }

  /** `host[:port]` */
  get host(): string {
    return this.#host;
  }
  set host(value: string) {
    this.#host = this.#edits.authority = value;
  }

  /** Path and query: `/a/b?c=d`. */
  get path(): string {
    return this.#path;
  }
  set path(value: string) {
    this.#path = this.#edits.path = value;
  }

  /** The path without the query. */
  get pathname(): string {
    const at = this.#path.indexOf("?");
    return at < 0 ? this.#path : this.#path.slice(0, at);
  }

  /** The first value of a query parameter, or null. */
  query(name: string): string | null {
    const at = this.#path.indexOf("?");
    if (at < 0) return null;
    for (const pair of this.#path.slice(at + 1).split("&")) {
      const equals = pair.indexOf("=");
      const key = equals < 0 ? pair : pair.slice(0, equals);
      if (unescapeQuery(key) === name) {
        return equals < 0 ? "" : unescapeQuery(pair.slice(equals + 1));
      }
    }
    return null;
  }

  /** The value of a cookie, or null. */
  cookie(name: string): string | null {
    for (const line of this.headers.getAll("cookie")) {
      for (const pair of line.split(";")) {
        const equals = pair.indexOf("=");
        if (equals > 0 && pair.slice(0, equals).trim() === name) {
          return pair.slice(equals + 1).trim();
        }
      }
    }
    return null;
  }

  /** The changes so far; the SDK hands them to the proxy. */
  takeEdits(): Edits {
    const edits = { head: this.headers.takeOps(), ...this.#edits };
    this.#edits = {};
    return edits;
  }
}

/** The head of a response. Assign to `status` to change it. */
export class FilterResponse {
  readonly headers: FilterHeaders;
  #status: number;
  #changed = false;

  constructor(head: ResponseHeadRecord) {
    this.headers = new FilterHeaders(head.headers);
    this.#status = head.status;
  }

  get status(): number {
    return this.#status;
  }
  set status(value: number) {
    this.#status = value;
    this.#changed = true;
  }

  takeEdits(): Edits {
    const edits: Edits = { head: this.headers.takeOps() };
    if (this.#changed) edits.status = this.#status;
    this.#changed = false;
    return edits;
  }
}

/** A whole body, or with `body: "streamed"` one piece of it. */
export class FilterBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Nothing follows. */
  readonly last: boolean;
  #replacement: Content | undefined;

  constructor(bytes: Uint8Array, last: boolean) {
    this.bytes = bytes as Uint8Array<ArrayBuffer>; // a guest has no other memory
    this.last = last;
  }

  /** The bytes as UTF-8 text. */
  text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  /** The bytes as JSON; undefined when they are not. */
  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch {
      return undefined;
    }
  }

  /** Puts other bytes in its place; the proxy corrects content-length. */
  replace(content: string | Uint8Array): void {
    this.#replacement = contentOf(content);
  }

  /** Puts a value in its place, as JSON. */
  replaceJson(value: unknown): void {
    this.replace(JSON.stringify(value));
  }

  takeEdits(head: Edits): BodyEdits | null {
    const none = this.#replacement === undefined && head.head.length === 0 &&
      head.status === undefined;
    return none ? null : { body: this.#replacement, head: head.head, status: head.status };
  }
}

export function contentOf(content: string | Uint8Array): Content {
  return typeof content === "string"
    ? { tag: "text", val: content }
    : { tag: "bytes", val: content };
}

function unescapeQuery(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return value;
  }
}
