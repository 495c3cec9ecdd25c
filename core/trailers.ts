/**
 * Which trailer fields are passed on, the same for every version of HTTP (RFC 9110 6.5.1): all but those
 * that mean something only when they are known before the content, and those by which somebody behind
 * us could be told what the filters never saw.
 */

/** Whole names. Their groups are the clause's, then what speaks between two neighbours. */
const REFUSED: ReadonlySet<string> = new Set([
  // Framing and content format.
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "trailer",
  "transfer-encoding",
  // Routing.
  "host",
  // Request modifiers: controls and conditions.
  "cache-control",
  "expect",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "max-forwards",
  "pragma",
  "range",
  "te",
  // Authentication, and cookies (RFC 6265), which often are.
  "authorization",
  "cookie",
  "proxy-authenticate",
  "proxy-authorization",
  "set-cookie",
  "www-authenticate",
  // Control data of responses.
  "age",
  "date",
  "expires",
  "location",
  "retry-after",
  "vary",
  // Between neighbours.
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy",
  "proxy-authentication-info",
  "proxy-connection",
  "upgrade",
  // What proxies say of a request: only its head is looked at for them.
  "forwarded",
  "via",
  "x-real-ip",
  "x-request-id",
]);
const REFUSED_PREFIXES: readonly string[] = ["x-denim-", "x-forwarded-"];

/** Whether a trailer field of this lower-case name is passed on; `_` counts as `-`, as CGI takes it. */
export function mayTrail(name: string): boolean {
  if (name.startsWith("grpc-")) return true; // the usual ones
  const plain = name.includes("_") ? name.replaceAll("_", "-") : name;
  if (REFUSED.has(plain)) return false;
  for (const prefix of REFUSED_PREFIXES) if (plain.startsWith(prefix)) return false;
  return true;
}
