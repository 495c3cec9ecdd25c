/**
 * What a proxy has to know of gRPC: how its requests are told from others, what their status and
 * deadline look like on the wire, and what that status is in HTTP and the other way round.
 *
 * Sources: "gRPC over HTTP2" (PROTOCOL-HTTP2), "HTTP to gRPC Status Code Mapping", google.rpc.Code.
 */
import type { Fields } from "./fields.ts";

export const OK = 0, CANCELLED = 1, UNKNOWN = 2, DEADLINE_EXCEEDED = 4;
export const PERMISSION_DENIED = 7, RESOURCE_EXHAUSTED = 8, UNIMPLEMENTED = 12, INTERNAL = 13;
export const UNAVAILABLE = 14, UNAUTHENTICATED = 16;

/** By gRPC status, the HTTP status google.rpc.Code gives for it. */
const HTTP_STATUS: readonly number[] = [
  200, // OK
  499, // CANCELLED
  500, // UNKNOWN
  400, // INVALID_ARGUMENT
  504, // DEADLINE_EXCEEDED
  404, // NOT_FOUND
  409, // ALREADY_EXISTS
  403, // PERMISSION_DENIED
  429, // RESOURCE_EXHAUSTED
  400, // FAILED_PRECONDITION
  409, // ABORTED
  400, // OUT_OF_RANGE
  501, // UNIMPLEMENTED
  500, // INTERNAL
  503, // UNAVAILABLE
  500, // DATA_LOSS
  401, // UNAUTHENTICATED
];

const TYPE = "application/grpc";

/** Whether a message is gRPC: `application/grpc`, alone or with a codec; gRPC-Web is plain HTTP. */
export function isGrpc(fields: Fields): boolean {
  const type = fields.get("content-type");
  if (type === undefined || !type.startsWith(TYPE)) return false;
  if (type.length === TYPE.length) return true;
  const next = type.charCodeAt(TYPE.length);
  return next === 0x2b || next === 0x3b || next === 0x20; // + ; and the space before a parameter
}

/** The gRPC status that trailers (or the head of a trailers-only response) carry; −1: none. */
export function grpcStatus(fields: Fields): number {
  const text = fields.get("grpc-status");
  if (text === undefined) return -1;
  return /^[0-9]{1,3}$/.test(text) ? Number(text) : UNKNOWN;
}

/** What a gRPC status counts as among HTTP statuses; one nobody knows is a failure. */
export function httpOfGrpc(status: number): number {
  return HTTP_STATUS[status] ?? 500;
}

/** What gRPC clients take an HTTP status for that comes without a gRPC one. */
export function grpcOfHttp(status: number): number {
  switch (status) {
    case 400:
      return INTERNAL;
    case 401:
      return UNAUTHENTICATED;
    case 403:
      return PERMISSION_DENIED;
    case 404:
      return UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return UNAVAILABLE;
    default:
      return UNKNOWN;
  }
}

/**
 * The status a response counts as: its own, or what its gRPC status stands for. `ending`: the fields
 * it ended with (trailers, or a head that was all of it); null: it had none.
 */
export function countedStatus(status: number, ending: Fields | null): number {
  const grpc = ending === null ? -1 : grpcStatus(ending);
  return grpc <= OK ? status : httpOfGrpc(grpc);
}

/** Milliseconds of a `grpc-timeout` value, at least 1 for any positive one; −1 when it is malformed. */
export function grpcTimeoutMs(text: string): number {
  const count = text.slice(0, -1);
  if (!/^[0-9]{1,8}$/.test(count)) return -1;
  const unitMs = UNIT_MS[text.slice(-1)];
  return unitMs === undefined ? -1 : Math.ceil(Number(count) * unitMs);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1 / 1000,
  n: 1 / 1_000_000,
};

/** A `grpc-timeout` value of `ms`, which is rounded up. At most eight digits are allowed. */
export function grpcTimeout(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  return whole < 100_000_000 ? `${whole}m` : `${Math.min(99_999_999, Math.ceil(whole / 1000))}S`;
}

/** Bytes of text a `grpc-message` of ours carries at most: peers bound what a header section may hold. */
export const MESSAGE_BYTES = 1024;

/**
 * UTF-8 text as `grpc-message` has it: all but printable ASCII, and `%` itself, as `%XX`. White space at
 * its ends is dropped, since no field value may have any.
 */
export function grpcMessage(utf8: Uint8Array): string {
  let length = Math.min(utf8.length, MESSAGE_BYTES);
  while (length > 0 && utf8[length - 1]! <= 0x20) length--;
  let text = "";
  for (let i = 0; i < length; i++) {
    const byte = utf8[i]!;
    text += byte >= 0x20 && byte < 0x7f && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text.trimStart();
}
