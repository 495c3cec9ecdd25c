/** IP networks as numbers: parsed once, compared without a string. IPv4 stands in IPv6 as RFC 4291 2.5.5.2 maps it. */
import { isIPv4, isIPv6 } from "node:net";

/** An address as four 32-bit words. */
export type Ip = readonly [number, number, number, number];

/** Null when `text` is no address. Zones are refused: they mean something on one host only. */
export function parseIp(text: string): Ip | null {
  if (isIPv4(text)) return [0, 0, 0xffff, wordOf(text)];
  if (!isIPv6(text) || text.includes("%")) return null;
  // The last 32 bits may be written as IPv4.
  const colon = text.lastIndexOf(":");
  const dotted = text.includes(".") ? wordOf(text.slice(colon + 1)) : null;
  const plain = dotted === null
    ? text
    : `${text.slice(0, colon + 1)}${(dotted >>> 16).toString(16)}:${
      (dotted & 0xffff).toString(16)
    }`;
  const [front, back] = plain.split("::");
  const left = groups(front!), right = back === undefined ? [] : groups(back);
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  const word = (at: number): number => ((all[at]! << 16) | all[at + 1]!) >>> 0;
  return [word(0), word(2), word(4), word(6)];
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}

function wordOf(v4: string): number {
  const [a, b, c, d] = v4.split(".").map(Number);
  return ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
}

interface Network {
  readonly ip: Ip;
  readonly mask: Ip;
  /** Bits of the mask, of 128. */
  readonly length: number;
}

/** A network as its length and its first address; addresses within it have the same text at that length. */
export function networkKey(text: string): string {
  const { ip, length } = parseNetwork(text);
  return addressKey(ip, length);
}

export function addressKey(ip: Ip, length: number): string {
  const last = (ip[3] & maskOf(length - 96)) >>> 0;
  // Most addresses are IPv4, whose first 96 bits are all the same.
  if (length >= 96 && ip[0] === 0 && ip[1] === 0 && ip[2] === 0xffff) return `${length} ${last}`;
  const [a, b, c] = [0, 1, 2].map((at) => (ip[at]! & maskOf(length - at * 32)) >>> 0);
  return `${length} ${a} ${b} ${c} ${last}`;
}

export class Networks {
  readonly #networks: readonly Network[];

  /** `10.0.0.0/8`, `2001:db8::/32` or single addresses; throws on anything else. */
  constructor(values: readonly string[]) {
    this.#networks = values.map(parseNetwork);
  }

  has(ip: Ip): boolean {
    const networks = this.#networks;
    for (let i = 0; i < networks.length; i++) {
      const { ip: own, mask } = networks[i]!;
      if (((ip[3] ^ own[3]) & mask[3]) !== 0 || ((ip[2] ^ own[2]) & mask[2]) !== 0) continue;
      if (((ip[1] ^ own[1]) & mask[1]) === 0 && ((ip[0] ^ own[0]) & mask[0]) === 0) return true;
    }
    return false;
  }
}

function parseNetwork(text: string): Network {
  const [address, prefix, ...more] = text.split("/");
  const ip = parseIp(address!);
  const v4 = isIPv4(address!);
  const most = v4 ? 32 : 128;
  const bits = prefix === undefined ? most : Number(prefix);
  const good = ip !== null && more.length === 0 && Number.isInteger(bits) && bits >= 0 &&
    bits <= most && prefix !== "";
  if (!good) {
    throw new Error(
      `Cannot read authz: "${text}" is no network, want an address or one with a prefix length`,
    );
  }
  const length = v4 ? bits + 96 : bits;
  const mask = [0, 1, 2, 3].map((at) => maskOf(length - at * 32));
  return { ip, mask: [mask[0]!, mask[1]!, mask[2]!, mask[3]!], length };
}

function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}
