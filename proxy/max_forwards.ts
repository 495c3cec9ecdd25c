/** Max-Forwards (RFC 9110 7.6.2): how many more hops a TRACE or OPTIONS may take, and the answer of the last one. */
import { Fields } from "../core/fields.ts";
import type { RequestHead } from "../core/message.ts";
import type { Exchange } from "./exchange.ts";

/** Fields that a reflected request must not show: scripts cannot read them otherwise (RFC 9110 9.3.8). */
const SECRET: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-api-key",
  "x-denim-peer",
  "x-forwarded-client-cert",
]);

/** The only methods it is about; on others the field means nothing. */
export function countsForwards(method: string): boolean {
  return method === "OPTIONS" || method === "TRACE";
}

/** Counts this hop; true when it was the last one, and has answered. A value that is no number is left alone. */
export function endsHere(x: Exchange, head: RequestHead): boolean {
  const value = head.fields.get("max-forwards");
  if (value === undefined || !/^\d{1,9}$/.test(value)) return false;
  const left = Number(value);
  if (left > 0) {
    head.fields.set("max-forwards", String(left - 1));
    return false;
  }
  if (head.method === "OPTIONS") x.respond(200);
  else x.respond(200, new Fields(["content-type", "message/http"]), reflected(head));
  return true;
}

/** The request as this hop got it; a char of a field is a byte. */
function reflected(head: RequestHead): Uint8Array {
  const { lines } = head.fields;
  let text = `TRACE ${head.path} HTTP/1.1\r\nhost: ${head.authority}\r\n`;
  for (let i = 0; i < lines.length; i += 2) {
    if (!SECRET.has(lines[i]!)) text += `${lines[i]}: ${lines[i + 1]}\r\n`;
  }
  return Uint8Array.from(`${text}\r\n`, (char) => char.charCodeAt(0));
}
