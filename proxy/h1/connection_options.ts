/** The Connection field (RFC 9110 7.6.1): what it asks for, and which fields it may name. */
import { isToken } from "./chars.ts";

/** Fields that speak to the whole chain: a Connection field that makes a proxy drop one is an attack (CVE-2022-31813). */
const END_TO_END: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "cookie",
  "date",
  "expect",
  "forwarded",
  "host",
  "origin",
  "range",
  "referer",
  "set-cookie",
  "traceparent",
  "tracestate",
  "transfer-encoding",
  "via",
  "x-api-key",
  "x-real-ip",
  "x-request-id",
]);
const END_TO_END_PREFIXES: readonly string[] = [
  "access-control-",
  "content-",
  "grpc-",
  "if-",
  "sec-",
  "x-b3-",
  "x-denim-",
  "x-forwarded-",
];

/** What all Connection lines of one head said. Reused from head to head. */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;
  /** Names of fields to drop, lower-case; null for none, which is usual. */
  named: string[] | null = null;

  clear(): void {
    this.close = this.keepAlive = this.upgrade = false;
    this.named = null;
  }

  /** Adds one line; false when it is malformed or names a field it must not. */
  add(value: string): boolean {
    if (value === "keep-alive") return this.keepAlive = true;
    if (value === "close") return this.close = true;
    for (const part of value.split(",")) {
      const option = part.trim().toLowerCase();
      if (option === "") continue; // RFC 9110 5.6.1.2: empty list elements are skipped
      if (!isToken(option)) return false;
      if (option === "close") this.close = true;
      else if (option === "keep-alive") this.keepAlive = true;
      else if (option === "upgrade") this.upgrade = true;
      else if (isEndToEnd(option)) return false;
      else (this.named ??= []).push(option);
    }
    return true;
  }
}

function isEndToEnd(name: string): boolean {
  if (END_TO_END.has(name)) return true;
  for (const prefix of END_TO_END_PREFIXES) if (name.startsWith(prefix)) return true;
  return false;
}
