/** What two proxies made of the same bytes, brought to one form and compared; known differences with reasons. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { parseRequest } from "../../support/origin.ts";

/** A request as an origin read it; `fields` alternates names and values as sent. */
export interface ForwardedRequest {
  /** Its place among all requests the origin got. */
  readonly nth: number;
  readonly method: string;
  readonly url: string;
  readonly fields: readonly string[];
  readonly body: string;
  readonly ended: boolean;
}

/** One connection of a proxy to its origin. */
export interface Forwarded {
  readonly raw: string;
  readonly requests: readonly (ForwardedRequest | { readonly error: string })[];
}

/** What a request means: all that must be the same whoever forwarded it. */
export interface Seen {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly fields: readonly string[];
  readonly body: string;
}

/** Fields that each hop writes anew or keeps to itself (RFC 9110 7.6.1), and those that say who forwarded. */
export const OF_THE_HOP: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-request-id",
]);

export function meaning(request: ForwardedRequest): Seen {
  const { method, fields, body } = request;
  const dropped = new Set(OF_THE_HOP);
  let host = "";
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase(), value = fields[i + 1]!;
    if (name === "host") host = value;
    // haproxy leaves the fields that Connection names to the next hop; we drop them, as RFC 9110 7.6.1 says.
    if (name === "connection") {
      for (const one of value.split(",")) dropped.add(one.trim().toLowerCase());
    }
  }
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    if (!dropped.has(name)) kept.push(name, fields[i + 1]!);
  }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(request.url);
  const path = absolute === null ? request.url : absolute[2]!;
  return {
    method,
    authority: (absolute === null ? host : absolute[1]!).toLowerCase().replace(/:80$/, ""),
    path: path.startsWith("/") || path === "*" ? path : `/${path}`,
    fields: kept,
    body,
  };
}

/** The requests that came whole, as each means; a string, why Node's parser cannot judge them. */
export function whole(
  connections: readonly Forwarded[],
  methods: ReadonlySet<string>,
): Seen[] | string {
  const all: ForwardedRequest[] = [];
  for (const { raw, requests } of connections) {
    for (const request of requests) {
      if (!("error" in request)) {
        if (request.ended) all.push(request);
        continue;
      }
      // Cut off in the middle: not a request. Tunnels have a suite of their own.
      if (["ECONNRESET", "HPE_INVALID_EOF_STATE"].includes(request.error)) continue;
      if (["upgrade", "connect"].includes(request.error)) return "a tunnel";
      const known = request.error === "HPE_INVALID_METHOD" && namesUnknown(raw, methods);
      return known ? "a method Node does not know" : `${request.error}: ${raw}`;
    }
  }
  return all.sort((a, b) => a.nth - b.nth).map(meaning);
}

/** Whether one of the requests has a method that is not among `methods`. */
function namesUnknown(raw: string, methods: ReadonlySet<string>): boolean {
  let rest = raw;
  for (let one = parseRequest(rest); one !== null; one = parseRequest(rest)) {
    if (!methods.has(one.request.method)) return true;
    rest = rest.slice(one.length);
  }
  return rest !== "" && !methods.has(rest.split(" ", 1)[0]!); // cut off by Node's refusal
}

/** Where haproxy and we may differ, and why that smuggles nothing. */
interface Known {
  readonly reason: string;
  readonly holds: (raw: string, ours: Seen, theirs: Seen | undefined) => boolean;
}

const KNOWN: readonly Known[] = [
  {
    reason:
      "we decode unreserved characters, merge slashes and remove dot segments, so that routes see one path",
    holds: (_raw, ours, theirs) =>
      theirs !== undefined && same(ours, { ...theirs, path: normalised(theirs.path) }),
  },
  {
    reason: "we drop `proxy`, which CGI programs take for a setting (httpoxy)",
    holds: (_raw, ours, theirs) => theirs !== undefined && same(ours, without(theirs, "proxy")),
  },
  {
    reason: "we drop `expect` of an HTTP/1.0 client, whom nobody can answer 100 (RFC 9110 10.1.1)",
    holds: (raw, ours, theirs) =>
      theirs !== undefined && raw.includes("HTTP/1.0\r\n") && same(ours, without(theirs, "expect")),
  },
  {
    reason:
      "haproxy takes the query of an absolute target without a path for a part of its authority",
    holds: (raw, _ours, theirs) => theirs === undefined && / https?:\/\/[^/ ]*\?/i.test(raw),
  },
  {
    reason: "we drop `http2-settings` always: it belongs to an upgrade that we never pass on",
    holds: (_raw, ours, theirs) =>
      theirs !== undefined && same(ours, without(theirs, "http2-settings")),
  },
  {
    reason: "haproxy refuses to upgrade HTTP/1.0; we ignore the wish, as RFC 9110 7.8 says",
    holds: (raw, _ours, theirs) =>
      theirs === undefined && /HTTP\/1\.0\r\n[^]*\r\nUpgrade: websocket/i.test(raw),
  },
  {
    reason: "haproxy refuses a body with GET of HTTP/1.0; we forward it, framed as HTTP/1.1",
    holds: (raw, ours, theirs) =>
      theirs === undefined && raw.includes("HTTP/1.0\r\n") && ours.body !== "",
  },
  {
    reason:
      "haproxy refuses malformed framing fields among trailers, where we drop such fields unread",
    holds: (raw, _ours, theirs) =>
      theirs === undefined &&
      /\r\n0+\r\n([^\r\n]+\r\n)*(content-length|transfer-encoding):/i.test(raw),
  },
];

/** Paths with a malformed escape, or one that hides a NUL or a slash. */
export const REFUSED_PATH =
  /^[^?]*%(?![0-9a-f]{2}|$)|^[^?]*%(00|2f|5c)|^[^?]*%[0-9a-f]?$|^[^?]*%[0-9a-f]?\?/i;
const REFUSED_PATH_REASON =
  "we answer 400 to paths with malformed escapes, %00, %2F and %5C, and go on with the next request";

function same(a: Seen, b: Seen): boolean {
  return isDeepStrictEqual(a, b);
}

function without(seen: Seen, name: string): Seen {
  const fields = seen.fields.filter((_, i) => seen.fields[i - (i % 2)] !== name);
  return { ...seen, fields };
}

/** RFC 3986 6.2.2: unreserved characters decoded, slashes merged, dot segments removed; the query stays. */
export function normalised(target: string): string {
  const at = target.indexOf("?");
  const query = at < 0 ? "" : target.slice(at);
  const path = (at < 0 ? target : target.slice(0, at)).replace(
    /%([0-9a-f]{2})/gi,
    (escape, hex: string) => {
      const char = String.fromCharCode(parseInt(hex, 16));
      return /[a-z0-9\-._~]/i.test(char) ? char : escape.toUpperCase();
    },
  );
  const segments: string[] = [];
  const given = path.replace(/\/{2,}/g, "/").split("/").slice(1);
  given.forEach((segment, i) => {
    if (segment === "..") segments.pop();
    const last = i === given.length - 1;
    if (segment !== "." && segment !== "..") segments.push(segment);
    else if (last) segments.push("");
  });
  return `/${segments.join("/")}${query}`;
}

/**
 * Fails unless the requests we forwarded are the first that haproxy forwarded: it may accept more than we
 * do, never less or otherwise. Gives back the reasons of the known differences.
 */
export function differences(raw: string, ours: readonly Seen[], all: readonly Seen[]): string[] {
  const theirs = all.filter(({ path }) => !REFUSED_PATH.test(path));
  const reasons = theirs.length < all.length ? [REFUSED_PATH_REASON] : [];
  for (let i = 0; i < ours.length; i++) {
    const mine = ours[i]!, other = theirs[i];
    try {
      assert.deepEqual(mine, other);
    } catch (problem) {
      const known = KNOWN.find((one) => one.holds(raw, mine, other));
      if (known === undefined) {
        const what = other === undefined ? "haproxy refuses what Denim forwards" : "they differ";
        throw new Error(`${what}: ${JSON.stringify(raw)}`, { cause: problem });
      }
      reasons.push(known.reason);
      if (other === undefined) return reasons;
    }
  }
  return reasons;
}
