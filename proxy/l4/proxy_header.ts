/**
 * Reads the PROXY protocol's header, versions 1 and 2: where a connection really comes from, as the load
 * balancer in front of us says. Any split of the same input gives the same result.
 *
 *   1   PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 CR LF       at most 107 bytes; or PROXY UNKNOWN … CR LF
 *   2   signature(12) · 2|command · family|transport · length(2) · addresses · TLVs
 */
import { isIPv4, isIPv6 } from "node:net";
import { type Fault, FAULTS } from "../../core/fault.ts";

/** `v2Bytes`: addresses and TLVs; balancers send some 100. */
export const PROXY_HEADER_LIMITS = { v1Bytes: 107, v2Bytes: 4096 } as const;

export const READING = 0 as const, DONE = 1 as const, FAILED = 2 as const;

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const V2_HEAD = 16;
const V1_START = [...new TextEncoder().encode("PROXY ")];
const LOCAL = 0, PROXY = 1;
const UNSPEC = 0x00, TCP4 = 0x11, TCP6 = 0x21, UNIX = 0x31;
/** Bytes of both addresses and ports. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { [TCP4]: 12, [TCP6]: 36, [UNIX]: 216 };
const CR = 0x0d, LF = 0x0a;

export class ProxyHeaderReader {
  state: typeof READING | typeof DONE | typeof FAILED = READING;
  fault: Fault = FAULTS["proxy_protocol.bad_header"];
  /** `ip:port` of the client; "" when the header names none: the peer speaks for itself. */
  source = "";
  #bytes = new Uint8Array(V2_HEAD);
  #length = 0;
  /** Of a header of version 2, once its head is there. */
  #wanted = 0;

  /** Takes what belongs to the header; how many bytes that was. What follows is the connection's. */
  feed(bytes: Uint8Array): number {
    let at = 0;
    while (this.state === READING && at < bytes.length) {
      // Version 2 says its length; version 1 ends with its line, so it is looked at byte by byte.
      const take = this.#wanted === 0
        ? 1
        : Math.min(bytes.length - at, this.#wanted - this.#length);
      this.#keep(bytes.subarray(at, at + take));
      at += take;
      this.#step();
    }
    return at;
  }

  #step(): void {
    const length = this.#length;
    if (this.#wanted > 0) return length === this.#wanted ? this.#v2() : undefined;
    const last = this.#bytes[length - 1]!;
    const v2 = this.#bytes[0] === SIGNATURE[0];
    if (v2 && length <= SIGNATURE.length && last !== SIGNATURE[length - 1]) return this.#fail();
    if (v2) return length === V2_HEAD ? this.#v2Head() : undefined;
    if (length <= V1_START.length && last !== V1_START[length - 1]) return this.#fail();
    if (last === LF) return this.#v1();
    if (length === PROXY_HEADER_LIMITS.v1Bytes) this.#fail("proxy_protocol.too_large");
  }

  #v1(): void {
    const length = this.#length;
    if (this.#bytes[length - 2] !== CR) return this.#fail();
    let line = "";
    for (let i = 0; i < length - 2; i++) {
      const byte = this.#bytes[i]!;
      if (byte < 0x20 || byte > 0x7e) return this.#fail();
      line += String.fromCharCode(byte);
    }
    if (line === "PROXY UNKNOWN" || line.startsWith("PROXY UNKNOWN ")) return this.#done("");
    const parts = line.split(" ");
    const [, family, from, to, fromPort, toPort] = parts;
    const known = family === "TCP4" ? isIPv4 : family === "TCP6" ? isV6 : null;
    const fits = parts.length === 6 && known !== null && known(from!) && known(to!) &&
      isPort(fromPort!) && isPort(toPort!);
    if (!fits) return this.#fail();
    this.#done(`${from!.toLowerCase()}:${fromPort}`);
  }

  #v2Head(): void {
    const bytes = this.#bytes;
    const version = bytes[12]! >> 4, command = bytes[12]! & 15, kind = bytes[13]!;
    const length = bytes[14]! << 8 | bytes[15]!;
    if (version !== 2 || command > PROXY) return this.#fail();
    if (length > PROXY_HEADER_LIMITS.v2Bytes) return this.#fail("proxy_protocol.too_large");
    // What a health check of the balancer's own says of addresses is to be ignored, whatever it is.
    if (command === PROXY && kind !== UNSPEC && length < (ADDRESS_BYTES[kind] ?? Infinity)) {
      return this.#fail();
    }
    this.#wanted = V2_HEAD + length;
    if (length === 0) this.#v2();
  }

  #v2(): void {
    const bytes = this.#bytes;
    const command = bytes[12]! & 15, kind = bytes[13]!;
    if (command === LOCAL || kind === UNSPEC) return this.#done("");
    if (!wholeTlvs(bytes, V2_HEAD + ADDRESS_BYTES[kind]!, this.#wanted)) return this.#fail();
    if (kind === TCP4) {
      const ip = bytes.subarray(V2_HEAD, V2_HEAD + 4).join(".");
      return this.#done(`${ip}:${bytes[24]! << 8 | bytes[25]!}`);
    }
    if (kind === TCP6) {
      const ip = v6Text(bytes.subarray(V2_HEAD, V2_HEAD + 16));
      return this.#done(`${ip}:${bytes[48]! << 8 | bytes[49]!}`);
    }
    this.#done(""); // a UNIX socket has no address that means anything here
  }

  #keep(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#wanted, PROXY_HEADER_LIMITS.v1Bytes));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #done(source: string): void {
    this.state = DONE;
    this.source = source;
  }
  #fail(
    code: "proxy_protocol.bad_header" | "proxy_protocol.too_large" = "proxy_protocol.bad_header",
  ): void {
    this.state = FAILED;
    this.fault = FAULTS[code];
  }
}

/** Type, length (2), value, up to the very end: their values are nobody's business here. */
function wholeTlvs(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    if (to - at < 3) return false;
    at += 3 + (bytes[at + 1]! << 8 | bytes[at + 2]!);
  }
  return at === to;
}

/** Without a zone, which means something on the balancer's host only. */
function isV6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function isPort(text: string): boolean {
  return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65535;
}

/** RFC 5952: the longest run of zero groups is left out. */
function v6Text(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8 | bytes[i + 1]!).toString(16));
  let at = -1, most = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (groups[i + run] === "0") run++;
    if (run > most) [at, most] = [i, run];
  }
  if (at < 0) return groups.join(":");
  return `${groups.slice(0, at).join(":")}::${groups.slice(at + most).join(":")}`;
}
