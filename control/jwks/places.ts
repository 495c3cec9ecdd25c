/**
 * Where a key set may be fetched from. Whoever may write a RequestAuthentication has the control plane call an
 * address of his choice, so that only public ones are called (SSRF), unless MeshConfig names others.
 */
import { BlockList, isIP } from "node:net";
import type { JwksConfig } from "../schema/jwks_config.ts";

/** IANA's IPv4 Special-Purpose Address Registry (RFC 6890), multicast and reserved. */
const NOT_PUBLIC_4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
];
/** Of IPv6 global unicast is public, but for documentation and what carries IPv4 addresses within. */
const PUBLIC_6 = ["2000::/3"];
const NOT_PUBLIC_6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
/** A host that is allowed by name may still not have these: cloud metadata, this very link, nobody in particular. */
const NEVER_BY_NAME = [
  "169.254.0.0/16",
  "0.0.0.0/8",
  "224.0.0.0/3",
  "fe80::/10",
  "ff00::/8",
  "::/128",
];

const notPublic4 = networks(NOT_PUBLIC_4);
const public6 = networks(PUBLIC_6);
const notPublic6 = networks(NOT_PUBLIC_6);
const neverByName = networks(NEVER_BY_NAME);

export class JwksPlaces {
  readonly #hosts: ReadonlySet<string>;
  readonly #networks: BlockList;

  constructor({ allowedHosts = [], allowedNetworks = [] }: JwksConfig = {}) {
    this.#hosts = new Set(allowedHosts);
    this.#networks = networks(allowedNetworks);
  }

  /** Why a URL may not be asked, as far as it shows: the end of a sentence about it; null: it may. */
  urlProblem(url: URL): string | null {
    const host = hostOf(url);
    if (isIP(host) !== 0) {
      const problem = this.addressProblem(host, host);
      if (problem !== null) return problem;
    }
    if (url.protocol === "https:" || this.#hosts.has(host)) return null;
    if (isIP(host) !== 0 && contains(this.#networks, host)) return null;
    return `is asked in plaintext, where anybody on the way can put in keys of his own; wanted https, or "${host}" among MeshConfig's jwks.allowedHosts`;
  }

  /** Why an address of a host may not be called; null: it may. */
  addressProblem(host: string, address: string): string | null {
    const ip = plainAddress(address);
    if (ip === null) return `has the address "${address}", which is none`;
    if (contains(this.#networks, ip)) return null;
    if (this.#hosts.has(host) && !contains(neverByName, ip)) return null;
    if (isPublic(ip)) return null;
    return `leads to ${ip}, which is no public address; if it is right, add it to MeshConfig's jwks.allowedNetworks` +
      (contains(neverByName, ip) ? "" : `, or "${host}" to jwks.allowedHosts`);
  }
}

/** The host of a URL without brackets and final dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** Whether an address is one of the Internet at large. */
export function isPublicAddress(address: string): boolean {
  const ip = plainAddress(address);
  return ip !== null && isPublic(ip);
}

function isPublic(ip: string): boolean {
  if (isIP(ip) === 4) return !contains(notPublic4, ip);
  return contains(public6, ip) && !contains(notPublic6, ip);
}

/** IPv4 in IPv6 (RFC 4291 2.5.5.2) is the IPv4 it means; a zone makes it an address of one link only. */
function plainAddress(address: string): string | null {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) return null;
  if (family === 4) return address;
  const host = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1) ?? "";
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (mapped === null) return host;
  const high = parseInt(mapped[1]!, 16), low = parseInt(mapped[2]!, 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

function networks(list: readonly string[]): BlockList {
  const set = new BlockList();
  for (const network of list) {
    const [ip, prefix] = network.split("/");
    const family = isIP(ip!) === 4 ? "ipv4" : "ipv6";
    if (prefix === undefined) set.addAddress(ip!, family);
    else set.addSubnet(ip!, Number(prefix), family);
  }
  return set;
}

function contains(set: BlockList, ip: string): boolean {
  return set.check(ip, isIP(ip) === 4 ? "ipv4" : "ipv6");
}
