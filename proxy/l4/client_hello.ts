/**
 * Reads the server name a TLS client asks for (RFC 8446 4.1.2, RFC 6066 3) and nothing else: the bytes
 * pass on unchanged and unjudged. Any split of the same input gives the same result.
 *
 *   record  22 · 3 · any · length(2) · fragment        one ClientHello may lie in several records
 *   message  1 · length(3) · version(2) random(32) session<1> suites<2> compressions<1> extensions<2>
 */
import { type Fault, FAULTS } from "../../core/fault.ts";

/** Hellos with post-quantum key shares and many tickets take some 4 KiB. */
export const HELLO_LIMITS = { bytes: 16 * 1024, records: 32 } as const;

export const READING = 0 as const, DONE = 1 as const, FAILED = 2 as const;

const HANDSHAKE = 22, CLIENT_HELLO = 1, SERVER_NAME = 0, HOST_NAME = 0;
const RECORD_HEAD = 5, MESSAGE_HEAD = 4;
/** RFC 8446 5.1. */
const MAX_FRAGMENT = 1 << 14;

export class ClientHelloReader {
  state: typeof READING | typeof DONE | typeof FAILED = READING;
  fault: Fault = FAULTS["tls.bad_hello"];
  /** Lower case; "" when the client names no server. */
  name = "";
  readonly #head = new Uint8Array(RECORD_HEAD);
  #headBytes = 0;
  /** Of the current record that is still to come. */
  #left = 0;
  #records = 0;
  #message = new Uint8Array(1024);
  #length = 0;
  /** Of the whole message, once its head is there. */
  #wanted = MESSAGE_HEAD;

  feed(bytes: Uint8Array): void {
    let at = 0;
    while (this.state === READING && at < bytes.length) {
      at = this.#left > 0 ? this.#fragment(bytes, at) : this.#recordHead(bytes, at);
    }
  }

  #recordHead(bytes: Uint8Array, at: number): number {
    const head = this.#head;
    while (at < bytes.length && this.#headBytes < RECORD_HEAD) {
      head[this.#headBytes++] = bytes[at++]!;
    }
    // Whoever speaks something else is told at the first byte, and not after a timeout.
    const started = this.#headBytes;
    if (head[0] !== HANDSHAKE || (started > 1 && head[1] !== 3)) {
      return this.#fail("tls.not_tls", at);
    }
    if (started < RECORD_HEAD) return at;
    this.#headBytes = 0;
    this.#left = head[3]! << 8 | head[4]!;
    if (this.#left === 0 || this.#left > MAX_FRAGMENT) return this.#fail("tls.bad_hello", at);
    if (++this.#records > HELLO_LIMITS.records) return this.#fail("tls.hello_too_large", at);
    return at;
  }

  #fragment(bytes: Uint8Array, at: number): number {
    // First the head only: it says how much there is to keep.
    const take = Math.min(this.#left, bytes.length - at, this.#wanted - this.#length);
    this.#keep(bytes.subarray(at, at + take));
    this.#left -= take;
    at += take;
    if (this.#length < this.#wanted) return at;
    const message = this.#message;
    if (this.#wanted === MESSAGE_HEAD) {
      if (message[0] !== CLIENT_HELLO) return this.#fail("tls.bad_hello", at);
      const length = message[1]! << 16 | message[2]! << 8 | message[3]!;
      if (length === 0) return this.#fail("tls.bad_hello", at);
      if (length > HELLO_LIMITS.bytes) return this.#fail("tls.hello_too_large", at);
      this.#wanted += length;
      return at;
    }
    const name = serverName(message.subarray(MESSAGE_HEAD, this.#wanted));
    if (name === null) return this.#fail("tls.bad_hello", at);
    this.name = name;
    this.state = DONE;
    return at;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#message.length) {
      const larger = new Uint8Array(Math.max(this.#wanted, this.#message.length * 2));
      larger.set(this.#message.subarray(0, this.#length));
      this.#message = larger;
    }
    this.#message.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #fail(code: "tls.not_tls" | "tls.bad_hello" | "tls.hello_too_large", at: number): number {
    this.state = FAILED;
    this.fault = FAULTS[code];
    return at;
  }
}

/** A cursor over nested vectors; `ok` goes false for good when one does not fit. */
class Vectors {
  readonly bytes: Uint8Array;
  at = 0;
  ok = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  get left(): number {
    return this.ok ? this.bytes.length - this.at : 0;
  }
  number(size: number): number {
    let value = 0;
    for (const byte of this.take(size)) value = value << 8 | byte;
    return value;
  }
  /** What follows a length of `size` bytes. */
  vector(size: number): Uint8Array {
    return this.take(this.number(size));
  }
  take(length: number): Uint8Array {
    if (length > this.left) {
      this.ok = false;
      return new Uint8Array(0);
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** The name in a ClientHello's body; "" for none, null when the hello is malformed. */
function serverName(body: Uint8Array): string | null {
  const hello = new Vectors(body);
  hello.take(2 + 32); // legacy_version, random
  const session = hello.vector(1);
  const suites = hello.vector(2);
  const compressions = hello.vector(1);
  if (!hello.ok || session.length > 32 || compressions.length === 0) return null;
  if (suites.length < 2 || suites.length % 2 !== 0) return null;
  if (hello.left === 0) return ""; // TLS 1.2 allows a hello without extensions
  const extensions = new Vectors(hello.vector(2));
  if (!hello.ok || hello.left > 0) return null;
  let name: string | null = "";
  let seen = false;
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (!extensions.ok) return null;
    if (type !== SERVER_NAME) continue;
    if (seen) return null; // 4.2: no two of one type, and two names would be two targets
    seen = true;
    name = hostName(data);
  }
  return extensions.ok ? name : null;
}

/** RFC 6066 3: a list that has one host name; other types of names do not exist. */
function hostName(data: Uint8Array): string | null {
  const outer = new Vectors(data);
  const list = new Vectors(outer.vector(2));
  const type = list.number(1);
  const bytes = list.vector(2);
  if (!outer.ok || !list.ok || outer.left > 0 || list.left > 0 || type !== HOST_NAME) return null;
  if (bytes.length === 0 || bytes.length > 253) return null;
  let name = "";
  for (const byte of bytes) {
    const upper = byte >= 0x41 && byte <= 0x5a;
    const fits = upper || (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2d || byte === 0x2e || byte === 0x5f;
    if (!fits) return null;
    name += String.fromCharCode(upper ? byte + 32 : byte);
  }
  return name.startsWith(".") || name.endsWith(".") || name.includes("..") ? null : name;
}
