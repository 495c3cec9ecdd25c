/** What policies may know of an exchange. One object is used over and over; parts are made when asked for. */
import { hostEnd, hostOf } from "../../core/authority.ts";
import type { Claims } from "../../core/claims.ts";
import type { FilterContext } from "../../core/filter.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { type Ip, parseIp } from "./networks.ts";
import { firstSegment } from "./patterns.ts";

export class Facts {
  claims: Claims | null = null;
  fields!: Fields;
  method = "";
  /** Without its query, as it is routed and forwarded. */
  path = "";
  /**
   * The path as servers may see it who cut off `;parameters` of segments, or who take an escaped slash for
   * a slash. "" when it is no other.
   */
  otherPath = "";
  #authority = "";
  #scheme = "";
  #remote = "";
  #host: string | null = null;
  #hostPort: string | null = null;
  #segment: string | null = null;
  #ip: Ip | null | undefined = undefined;
  #headerName = "";
  readonly #headerValues: string[] = [];
  /** The address of the last connection: requests come in rows of one. */
  #knownRemote = "";
  #knownIp: Ip | null = null;

  read(ctx: FilterContext, head: RequestHead): void {
    const { path, authority, scheme, method, fields } = head;
    this.claims = ctx.claims;
    this.fields = fields;
    this.method = method;
    const mark = path.indexOf("?");
    this.path = mark < 0 ? path : path.slice(0, mark);
    this.otherPath = otherForm(this.path);
    this.#authority = authority;
    this.#scheme = scheme;
    this.#remote = ctx.remote;
    this.#host = null;
    this.#hostPort = null;
    this.#segment = null;
    this.#headerName = "";
    this.#ip = undefined;
  }

  /** Values of a field, line by line; good until the next field is asked for. */
  header(name: string): readonly string[] {
    const values = this.#headerValues;
    if (name === this.#headerName) return values;
    this.#headerName = name;
    values.length = 0;
    const { lines } = this.fields;
    for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) values.push(lines[i + 1]!);
    return values;
  }

  get principal(): string {
    return this.claims === null ? "" : this.claims.principal;
  }

  get host(): string {
    return this.#host ??= hostOf(this.#authority);
  }

  /** With a port, be it the scheme's own. */
  get hostPort(): string {
    if (this.#hostPort !== null) return this.#hostPort;
    const digits = this.#authority.slice(hostEnd(this.#authority) + 1);
    const port = digits !== "" ? digits : this.#scheme === "https" ? "443" : "80";
    return this.#hostPort = `${this.host}:${port}`;
  }

  get segment(): string {
    return this.#segment ??= firstSegment(this.path);
  }

  /** Of the other end of the connection; null when it has none. */
  get ip(): Ip | null {
    if (this.#remote !== this.#knownRemote) {
      this.#knownRemote = this.#remote;
      this.#knownIp = parseIp(addressOf(this.#remote));
    }
    return this.#knownIp;
  }

  /**
   * Of the client that the first proxy of ours saw: it put the address into x-forwarded-for, in place of
   * whatever had been there. Without one, or with none that can be read, the other end of the connection.
   */
  get remoteIp(): Ip | null {
    if (this.#ip !== undefined) return this.#ip;
    const line = this.fields.get("x-forwarded-for");
    if (line === undefined) return this.#ip = this.ip;
    const comma = line.indexOf(",");
    return this.#ip = parseIp((comma < 0 ? line : line.slice(0, comma)).trim()) ?? this.ip;
  }
}

function addressOf(remote: string): string {
  const text = remote.slice(0, remote.lastIndexOf(":"));
  return text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
}

function otherForm(path: string): string {
  if (!path.includes(";") && !path.includes("%")) return "";
  const other = path.replaceAll(PARAMETERS, "").replaceAll(ESCAPED_SLASHES, "/")
    .replaceAll(SLASHES, "/");
  return other === path ? "" : other;
}

const PARAMETERS = /;[^/]*/g;
const ESCAPED_SLASHES = /%2f|%5c/gi;
/** `/;a/b` has an empty segment once its parameters are gone. */
const SLASHES = /\/{2,}/g;
