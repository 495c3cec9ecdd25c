/**
 * A message head as the flat header map a guest sees: pseudo headers first, then the field lines.
 * The first change of a guest call keeps a copy, so that a trap takes every change of that call back.
 */
import type { Fields } from "../../core/fields.ts";
import { PORT_FIELD, type RequestHead, type ResponseHead } from "../../core/message.ts";
import { WASM_LIMITS } from "../limits.ts";

/** Framing belongs to the codec: what a filter says of these is ignored. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Who the peer is was proven to the proxy; no filter may say otherwise. */
const PROVEN: ReadonlySet<string> = new Set([
  "x-denim-peer",
  PORT_FIELD,
  "x-forwarded-client-cert",
]);

/** Where a change is noted, so that the end of the call can keep it or take it back. */
export interface Undo {
  changed(map: HeaderMap): void;
}

/** Field lines with undo; trailers are just that. */
export class HeaderMap {
  readonly fields: Fields;
  /** Changes still reach somebody. */
  writable = true;
  readonly #undo: Undo;
  #saved: string[] | null = null;

  constructor(fields: Fields, undo: Undo) {
    this.fields = fields;
    this.#undo = undo;
  }

  /** Name, value, name, value, … */
  lines(): string[] {
    return this.fields.lines;
  }

  get count(): number {
    return this.lines().length >> 1;
  }

  get(name: string): string | undefined {
    return this.fields.get(name);
  }

  /** False: the name or the value cannot stand in a header. */
  set(name: string, value: string): boolean {
    return this.#write(name, value, this.fields.has(name) ? SET : ADD);
  }

  add(name: string, value: string): boolean {
    return this.#write(name, value, ADD);
  }

  remove(name: string): boolean {
    if (name.startsWith(":") || PROVEN.has(name)) return false;
    if (HOP_BY_HOP.has(name) || !this.fields.has(name)) return true;
    this.touch();
    this.fields.remove(name);
    return true;
  }

  /** Makes `lines` the whole map; what must not be touched stays as it is. False: malformed, nothing done. */
  replace(lines: readonly string[]): boolean {
    const kept: string[] = [];
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!.toLowerCase();
      if (!valid(name, lines[i + 1]!)) return false;
    }
    for (let i = 0; i < this.fields.lines.length; i += 2) {
      const name = this.fields.lines[i]!;
      if (PROVEN.has(name)) kept.push(name, this.fields.lines[i + 1]!);
    }
    const length = this.fields.get("content-length");
    this.touch();
    this.fields.lines.length = 0;
    this.fields.lines.push(...kept);
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!.toLowerCase(), value = lines[i + 1]!;
      if (name.startsWith(":") || name === "host") this.pseudo(name, value);
      else if (name === "content-length" && value !== length) continue;
      else if (!HOP_BY_HOP.has(name) && !PROVEN.has(name)) this.fields.append(name, value);
    }
    return true;
  }

  /** Keeps the copy that {@link rollback} needs. */
  touch(): void {
    if (this.#saved !== null) return;
    this.#saved = this.fields.lines.slice();
    this.save();
    this.#undo.changed(this);
  }

  commit(): void {
    this.#saved = null;
  }

  rollback(): void {
    if (this.#saved === null) return;
    this.fields.lines.length = 0;
    this.fields.lines.push(...this.#saved);
    this.restore();
    this.#saved = null;
  }

  /** Sets a pseudo header; false: there is none of that name here, or the value cannot be one. */
  protected pseudo(_name: string, _value: string): boolean {
    return false;
  }
  protected save(): void {}
  protected restore(): void {}

  #write(name: string, value: string, how: typeof SET | typeof ADD): boolean {
    if (name.startsWith(":") || name === "host") {
      this.touch();
      return this.pseudo(name, value);
    }
    if (PROVEN.has(name) || !valid(name, value)) return false;
    if (HOP_BY_HOP.has(name)) return true;
    if (name === "content-length") {
      // Only the codec can promise a length: another number than the true one means "frame it anew".
      return this.fields.get(name) === value || this.remove(name);
    }
    if (how === ADD && this.count >= WASM_LIMITS.pairs) return false;
    this.touch();
    if (how === SET) this.fields.set(name, value);
    else this.fields.append(name, value);
    return true;
  }
}

const SET = 0 as const, ADD = 1 as const;

export class RequestHeaders extends HeaderMap {
  readonly #head: RequestHead;
  #method = "";
  #scheme = "";
  #authority = "";
  #path = "";

  constructor(head: RequestHead, undo: Undo) {
    super(head.fields, undo);
    this.#head = head;
  }

  override lines(): string[] {
    const { method, scheme, authority, path, fields } = this.#head;
    return [
      ...[":authority", authority, ":path", path, ":method", method, ":scheme", scheme],
      ...fields.lines,
    ];
  }

  override get count(): number {
    return 4 + this.fields.size;
  }

  override get(name: string): string | undefined {
    switch (name) {
      case ":path":
        return this.#head.path;
      case ":method":
        return this.#head.method;
      case ":authority":
      case "host":
        return this.#head.authority;
      case ":scheme":
        return this.#head.scheme;
      default:
        return this.fields.get(name);
    }
  }

  protected override pseudo(name: string, value: string): boolean {
    const head = this.#head;
    switch (name) {
      case ":path":
        if (!PATH.test(value)) return false;
        head.path = value;
        return true;
      case ":method":
        // The client's codec frames the response by the method it read: these two frame it otherwise.
        if (!TOKEN.test(value) || BODILESS.has(value) !== BODILESS.has(head.method)) return false;
        head.method = value;
        return true;
      case ":authority":
      case "host":
        if (!AUTHORITY.test(value)) return false;
        head.authority = value.toLowerCase();
        return true;
      case ":scheme":
        if (value !== "http" && value !== "https") return false;
        head.scheme = value;
        return true;
      default:
        return false;
    }
  }

  protected override save(): void {
    this.#method = this.#head.method;
    this.#scheme = this.#head.scheme;
    this.#authority = this.#head.authority;
    this.#path = this.#head.path;
  }

  protected override restore(): void {
    this.#head.method = this.#method;
    this.#head.scheme = this.#scheme;
    this.#head.authority = this.#authority;
    this.#head.path = this.#path;
  }
}

export class ResponseHeaders extends HeaderMap {
  readonly #head: ResponseHead;
  #status = 0;

  constructor(head: ResponseHead, undo: Undo) {
    super(head.fields, undo);
    this.#head = head;
  }

  override lines(): string[] {
    return [":status", String(this.#head.status), ...this.fields.lines];
  }

  override get count(): number {
    return 1 + this.fields.size;
  }

  override get(name: string): string | undefined {
    return name === ":status" ? String(this.#head.status) : this.fields.get(name);
  }

  protected override pseudo(name: string, value: string): boolean {
    if (name !== ":status" || !STATUS_CODE.test(value)) return false;
    if ((value === "204" || value === "304") && Number(value) !== this.#head.status) return false;
    this.#head.status = Number(value);
    return true;
  }

  protected override save(): void {
    this.#status = this.#head.status;
  }

  protected override restore(): void {
    this.#head.status = this.#status;
  }
}

const BODILESS: ReadonlySet<string> = new Set(["HEAD", "CONNECT"]);
export const TOKEN: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/;
export const PATH: RegExp = /^(?:\/[\x21-\x7e\x80-\xff]*|\*)$/;
export const AUTHORITY: RegExp = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const STATUS_CODE = /^[2-5][0-9]{2}$/;

/** Whether a filter may send `value` under `name`: anything else could forge a line or a message. */
function valid(name: string, value: string): boolean {
  if (value.length > WASM_LIMITS.headerValueBytes || BAD_VALUE.test(value)) return false;
  return NAME.test(name.startsWith(":") ? name.slice(1) : name);
}

/** Lines for a request of a filter's own: nothing that only a proxy may say. Null: malformed. */
export function requestLines(lines: readonly string[]): string[] | null {
  const kept = replyLines(lines);
  if (kept === null) return null;
  const free: string[] = [];
  for (let i = 0; i < kept.length; i += 2) {
    if (!PROVEN.has(kept[i]!) && kept[i] !== "host") free.push(kept[i]!, kept[i + 1]!);
  }
  return free;
}

/** Lines for a local reply: only what may stand in a response, names in lower case. Null: malformed. */
export function replyLines(lines: readonly string[]): string[] | null {
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase(), value = lines[i + 1]!.trim();
    if (!valid(name, value)) return null;
    if (name.startsWith(":") || HOP_BY_HOP.has(name) || name === "content-length") continue;
    kept.push(name, value);
  }
  return kept;
}
