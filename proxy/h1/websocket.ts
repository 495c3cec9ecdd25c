/** The WebSocket handshake on one HTTP/1.1 connection (RFC 6455 section 4): keys in, answers out, both checked. */
import { createHash, randomBytes } from "node:crypto";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64: 22 digits, of which the last holds two bits, and two signs of padding. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

export const KEY_FIELD = "sec-websocket-key";
export const ACCEPT_FIELD = "sec-websocket-accept";
export const VERSION_FIELD = "sec-websocket-version";

/** What is wrong with a client's handshake; null when it may go on. */
export function handshakeFault(method: string, fields: Fields): Fault | null {
  const keys = fields.all(KEY_FIELD), versions = fields.all(VERSION_FIELD);
  if (versions.length !== 1 || versions[0] !== "13") return FAULTS["h1.websocket_version"];
  if (method !== "GET" || keys.length !== 1 || !KEY.test(keys[0]!)) {
    return FAULTS["h1.bad_handshake"];
  }
  return null;
}

/** The Sec-WebSocket-Accept that answers a key. */
export function acceptOf(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}

/** A fresh Sec-WebSocket-Key. */
export function newKey(): string {
  return randomBytes(16).toString("base64");
}
