/** Random cases for a filter: from its own cases, from words in its module, and from what breaks parsers. */
import type { Random } from "../../../core/clock.ts";
import type { Body, Case, Headers } from "../stage/case.ts";
import { caseSchema } from "../stage/case.ts";

/** Values programs choke on. */
const ODD = [
  ...[
    "",
    " ",
    "0",
    "-1",
    "00",
    "1e309",
    "9007199254740993",
    "NaN",
    "null",
    "true",
    "%00",
    "%",
    "%ff%fe",
  ],
  ...[
    "../..",
    "a,b;c=d",
    '"',
    "'",
    "\\",
    "{",
    "[]",
    "{}",
    "=",
    "a=b=c",
    ":",
    ",,,",
    "é",
    "日本語",
    "🙂",
  ],
];
const METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"];
const STATUSES = [200, 201, 204, 206, 301, 304, 400, 401, 404, 429, 500, 503];
const NAMES = [
  ...["accept", "authorization", "cookie", "content-type", "content-encoding", "origin", "referer"],
  ...["user-agent", "x-forwarded-for", "x-request-id", "range", "if-none-match", "host", "te"],
];
const TYPES = [
  ...["application/json", "text/html; charset=utf-8", "text/plain", "application/octet-stream"],
  ...["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/grpc"],
];
const WORDS_LIMIT = 400;
const LONG = 8000;

/** Texts in a module's data that look like names, paths or values. */
export function wordsOf(module: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(module);
  const found = new Set<string>();
  for (const [word] of text.matchAll(/[/a-zA-Z][-/_a-zA-Z0-9.=]{2,39}/g)) {
    found.add(word);
    if (found.size === WORDS_LIMIT) break;
  }
  return [...found];
}

export class Inputs {
  readonly #random: Random;
  readonly #bases: readonly Case[];
  readonly #words: readonly string[];
  readonly #config: unknown;

  /** `config`: the filter's own, whose values are changed now and then. */
  constructor(random: Random, bases: readonly Case[], words: readonly string[], config: unknown) {
    this.#random = random;
    this.#bases = bases;
    this.#words = words;
    this.#config = config;
  }

  next(): Case {
    const base = this.#bases.length > 0 && this.#chance(0.5) ? this.#pick(this.#bases) : null;
    const { request = {}, response = {}, calls = [], kv = {}, config } = base ?? {};
    const made: Record<string, unknown> = {
      name: "fuzz",
      seed: this.#below(1_000_000),
      calls,
      kv,
      request: {
        ...request,
        method: this.#chance(0.7) ? this.#pick(METHODS) : this.#pick(["GET", "POST"]),
        path: base !== null && this.#chance(0.5) ? base.request.path : this.#path(),
        headers: this.#headers(base?.request.headers ?? {}),
        body: this.#chance(0.4) ? this.#body() : base?.request.body ?? "",
        trailers: this.#chance(0.1) ? { [this.#name()]: this.#value() } : {},
      },
      response: {
        ...response,
        status: this.#pick(STATUSES),
        headers: this.#headers(base?.response.headers ?? {}),
        body: this.#chance(0.6) ? this.#body() : base?.response.body ?? "",
        trailers: this.#chance(0.1) ? { [this.#name()]: this.#value() } : {},
      },
    };
    const known = config ?? this.#config;
    if (known !== undefined) made["config"] = this.#chance(0.2) ? this.#changed(known) : known;
    return caseSchema.parse(made);
  }

  #headers(base: Headers): Headers {
    const headers: Headers = { ...base };
    for (let n = this.#below(6); n > 0; n--) {
      const name = this.#name();
      headers[name] = this.#chance(0.15) ? [this.#value(), this.#value()] : this.#value();
    }
    for (const name of Object.keys(headers)) if (this.#chance(0.1)) delete headers[name];
    if (this.#chance(0.4)) headers["content-type"] = this.#pick(TYPES);
    delete headers["content-length"]; // framing is the proxy's
    return headers;
  }

  #name(): string {
    if (this.#words.length === 0 || this.#chance(0.5)) return this.#pick(NAMES);
    const word = this.#pick(this.#words).toLowerCase().replaceAll(/[^-a-z0-9_]/g, "");
    return /^[a-z]/.test(word) ? word : this.#pick(NAMES);
  }

  #value(): string {
    const r = this.#random();
    if (r < 0.05) return "x".repeat(this.#below(LONG));
    const value = r < 0.35 && this.#words.length > 0 ? this.#pick(this.#words) : this.#pick(ODD);
    return this.#chance(0.2) ? `${value}${this.#pick(ODD)}`.trim() : value.trim();
  }

  #path(): string {
    const words = Array.from({ length: this.#below(4) }, () => this.#value());
    const query = this.#chance(0.4)
      ? `?${encodeURIComponent(this.#value())}=${encodeURIComponent(this.#value())}`
      : "";
    return `/${words.map((word) => encodeURIComponent(word.slice(0, 200))).join("/")}${query}`;
  }

  #body(): Body {
    const kind = this.#below(6);
    if (kind === 0) {
      return {
        base64: Uint8Array.from({ length: this.#below(600) }, () => this.#below(256)).toBase64(),
      };
    }
    if (kind === 1) return Array.from({ length: 1 + this.#below(5) }, () => this.#value() || "-");
    if (kind === 2) return "y".repeat(this.#below(60_000));
    const json = JSON.stringify(this.#json(3));
    if (kind === 3) return json.slice(0, this.#below(json.length + 1)); // broken off
    // The same text in chunks that split it anywhere.
    const at = this.#below(json.length + 1);
    return [json.slice(0, at), json.slice(at)].filter((part) => part !== "");
  }

  #json(depth: number): unknown {
    const kind = this.#below(depth > 0 ? 6 : 4);
    if (kind === 0) return this.#value();
    if (kind === 1) return this.#below(1_000_000) - 500_000;
    if (kind === 2) return this.#chance(0.5) ? null : this.#chance(0.5);
    if (kind === 3) return this.#pick(ODD);
    const many = Array.from({ length: this.#below(5) }, () => this.#json(depth - 1));
    return kind === 4 ? many : Object.fromEntries(many.map((value) => [this.#value(), value]));
  }

  /** One value somewhere in it is another. */
  #changed(value: unknown): unknown {
    if (Array.isArray(value) && value.length > 0 && this.#chance(0.8)) {
      const at = this.#below(value.length);
      return value.map((one, i) => i === at ? this.#changed(one) : one);
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value) && this.#chance(0.8)) {
      const keys = Object.keys(value);
      if (keys.length > 0) {
        const key = this.#pick(keys);
        return { ...value, [key]: this.#changed((value as Record<string, unknown>)[key]) };
      }
    }
    return this.#json(1);
  }

  #chance(p: number): boolean {
    return this.#random() < p;
  }
  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }
  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }
}
