/**
 * Field names and methods as shared strings, found from bytes without making a string first.
 * A known name also has a kind, so that reading a head never compares names.
 */
import { charCode } from "../../core/chars.ts";
import { LOWER } from "./chars.ts";

/** What reading a head does with a field. */
export const ORDINARY = 0,
  HOST = 1,
  CONTENT_LENGTH = 2,
  TRANSFER_ENCODING = 3,
  CONNECTION = 4,
  UPGRADE = 5,
  TE = 6,
  EXPECT = 7,
  /** Means something between two neighbours only: never passed on. */
  HOP = 8;

const SPECIAL: readonly (readonly [string, number])[] = [
  ["host", HOST],
  ["content-length", CONTENT_LENGTH],
  ["transfer-encoding", TRANSFER_ENCODING],
  ["connection", CONNECTION],
  ["upgrade", UPGRADE],
  ["te", TE],
  ["expect", EXPECT],
  ["keep-alive", HOP],
  ["proxy-connection", HOP],
  ["proxy-authenticate", HOP],
  ["proxy-authorization", HOP],
  ["proxy-authentication-info", HOP],
  ["proxy", HOP], // CGI programs read it as the HTTP_PROXY variable (CVE-2016-5385)
  ["http2-settings", HOP],
];

const USUAL = `accept accept-charset accept-encoding accept-language accept-ranges
  access-control-allow-credentials access-control-allow-headers access-control-allow-methods
  access-control-allow-origin access-control-expose-headers access-control-max-age
  access-control-request-headers access-control-request-method age allow alt-svc authorization
  b3 baggage cache-control content-disposition content-encoding content-language content-location
  content-range content-security-policy content-type cookie date denim-fault dnt etag expires
  forwarded from grpc-accept-encoding grpc-encoding grpc-message grpc-status grpc-timeout if-match
  if-modified-since if-none-match if-range if-unmodified-since last-modified link location
  max-forwards origin pragma priority range referer referrer-policy retry-after
  sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site
  sec-fetch-user server server-timing set-cookie strict-transport-security
  timing-allow-origin traceparent tracestate trailer upgrade-insecure-requests user-agent vary via
  www-authenticate x-amzn-trace-id x-api-key x-b3-flags x-b3-parentspanid x-b3-sampled x-b3-spanid
  x-b3-traceid x-cache x-content-type-options x-correlation-id x-denim-peer x-forwarded-client-cert
  x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-powered-by
  x-real-ip x-request-id x-requested-with x-version x-xss-protection`.split(/\s+/);

/** Known names by id. */
export const NAMES: readonly string[] = [...SPECIAL.map(([name]) => name), ...USUAL];
/** Kinds by id. */
export const KINDS: Uint8Array = new Uint8Array(NAMES.length);
for (let id = 0; id < SPECIAL.length; id++) KINDS[id] = SPECIAL[id]![1];

/** All known names behind one another, and where each begins. */
const letters = Uint8Array.from(NAMES.join(""), (c) => c.charCodeAt(0));
const starts = new Uint16Array(NAMES.length + 1);
for (let id = 0; id < NAMES.length; id++) starts[id + 1] = starts[id]! + NAMES[id]!.length;

const SLOTS = 1024;
/** id + 1 by slot; 0 is empty. Probed onwards from a name's own slot. */
const table = new Uint8Array(SLOTS);
for (let id = 0; id < NAMES.length; id++) {
  let slot = slotOf(hashOf(NAMES[id]!));
  while (table[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  table[slot] = id + 1;
}

/** One step of the hash that the parser keeps while it reads a name's lower-case bytes. */
function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + charCode(name, i)) | 0;
  return hash;
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 10)) & (SLOTS - 1);
}

/** The id of the name at `[from, to)` in any case, whose lower-case hash is given; -1 when it is not known. */
export function nameId(bytes: Uint8Array, from: number, to: number, hash: number): number {
  for (let slot = slotOf(hash); table[slot] !== 0; slot = (slot + 1) & (SLOTS - 1)) {
    const id = table[slot]! - 1;
    let at = starts[id]!;
    if (starts[id + 1]! - at !== to - from) continue;
    let i = from;
    while (i < to && LOWER[bytes[i]!] === letters[at]) {
      i++;
      at++;
    }
    if (i === to) return id;
  }
  return -1;
}

/** Other names, one per slot, the newest wins: repeated heads find theirs, a flood of names costs no memory. */
const OTHER_SLOTS = 256, OTHER_BYTES = 64;
const others: string[] = new Array(OTHER_SLOTS).fill("");

/** The name at `[from, to)` in lower case, when {@link nameId} does not know it. */
export function otherName(bytes: Uint8Array, from: number, to: number): string {
  let hash = 0;
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + LOWER[bytes[i]!]!) | 0;
  const slot = (hash ^ (hash >>> 10)) & (OTHER_SLOTS - 1);
  const kept = others[slot]!;
  if (matches(kept, bytes, from, to)) return kept;
  let name = "";
  for (let i = from; i < to; i++) name += String.fromCharCode(LOWER[bytes[i]!]!);
  if (name.length <= OTHER_BYTES) others[slot] = name;
  return name;
}

function matches(name: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) {
    if (charCode(name, i) !== LOWER[bytes[from + i]!]) return false;
  }
  return true;
}

const METHODS: readonly (readonly string[])[] = [
  [],
  [],
  [],
  ["GET", "PUT"],
  ["POST", "HEAD"],
  ["PATCH", "TRACE"],
  ["DELETE"],
  ["OPTIONS", "CONNECT"],
];

/** The method at `[from, to)`; methods are case-sensitive (RFC 9110 9.1). */
export function methodAt(bytes: Uint8Array, from: number, to: number): string {
  const length = to - from;
  if (length < METHODS.length) {
    for (const method of METHODS[length]!) {
      let i = 0;
      while (i < length && charCode(method, i) === bytes[from + i]) i++;
      if (i === length) return method;
    }
  }
  let method = "";
  for (let i = from; i < to; i++) method += String.fromCharCode(bytes[i]!);
  return method;
}
