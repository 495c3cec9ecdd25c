/** Names and numbers of HTTP/2 frames (RFC 9113 section 6 and 7), and the nine bytes before each. */

export const DATA = 0x0, HEADERS = 0x1, PRIORITY = 0x2, RST_STREAM = 0x3, SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5, PING = 0x6, GOAWAY = 0x7, WINDOW_UPDATE = 0x8, CONTINUATION = 0x9;

export const FLAG_ACK = 0x1, FLAG_END_STREAM = 0x1, FLAG_END_HEADERS = 0x4;
export const FLAG_PADDED = 0x8, FLAG_PRIORITY = 0x20;

/** Error codes, RFC 9113 section 7. */
export const NO_ERROR = 0x0, PROTOCOL_ERROR = 0x1, INTERNAL_ERROR = 0x2, FLOW_CONTROL_ERROR = 0x3;
export const SETTINGS_TIMEOUT = 0x4,
  STREAM_CLOSED = 0x5,
  FRAME_SIZE_ERROR = 0x6,
  REFUSED_STREAM = 0x7;
export const CANCEL = 0x8, COMPRESSION_ERROR = 0x9, CONNECT_ERROR = 0xa, ENHANCE_YOUR_CALM = 0xb;
export const INADEQUATE_SECURITY = 0xc, HTTP_1_1_REQUIRED = 0xd;

/** As the log says them. */
export const ERROR_NAMES: readonly string[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

export const FRAME_HEADER_BYTES = 9;
/** RFC 9113 4.2: what every peer must take, and what may be allowed at most. */
export const MIN_MAX_FRAME_BYTES = 16_384, MAX_MAX_FRAME_BYTES = 16_777_215;
/** RFC 9113 6.9.1. */
export const MAX_WINDOW = 0x7fffffff;
export const DEFAULT_WINDOW = 65_535;

/** RFC 9113 3.4: how a client begins. */
export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Writes a frame header at `at`. */
export function putFrameHeader(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  putU32(into, at + 5, streamId);
}

/** A frame with room for its payload; the caller fills that. */
export function frame(length: number, type: number, flags: number, streamId: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + length);
  putFrameHeader(bytes, 0, length, type, flags, streamId);
  return bytes;
}

export function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The frames of fixed shape that we send. */
export function goawayFrame(lastId: number, code: number, about: string): Uint8Array {
  const bytes = frame(8 + about.length, GOAWAY, 0, 0);
  putU32(bytes, FRAME_HEADER_BYTES, lastId);
  putU32(bytes, FRAME_HEADER_BYTES + 4, code);
  for (let i = 0; i < about.length; i++) bytes[FRAME_HEADER_BYTES + 8 + i] = about.charCodeAt(i);
  return bytes;
}

export function windowUpdateFrame(id: number, increment: number): Uint8Array {
  const bytes = frame(4, WINDOW_UPDATE, 0, id);
  putU32(bytes, FRAME_HEADER_BYTES, increment);
  return bytes;
}

export function resetFrame(id: number, code: number): Uint8Array {
  const bytes = frame(4, RST_STREAM, 0, id);
  putU32(bytes, FRAME_HEADER_BYTES, code);
  return bytes;
}

export function pingAckFrame(payload: Uint8Array): Uint8Array {
  const bytes = frame(8, PING, FLAG_ACK, 0);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}
