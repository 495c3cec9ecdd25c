/**
 * Ways to find clauses by what a request has. A test whose values all have a key in some way puts its clause
 * there: every request that fits the clause has one of the keys, and only those that have are looked at.
 */
import { claimAt } from "../../core/claims.ts";
import type { AuthzTest } from "./config.ts";
import type { Facts } from "./facts.ts";
import { addressKey, type Ip, networkKey } from "./networks.ts";
import { firstSegment, firstSegmentOf } from "./patterns.ts";
import { claimText, hasPort } from "./predicates.ts";

/** Where a clause can lie: a dimension, and its keys there. */
export interface Lookup {
  /** Clauses of one dimension are found by one look. */
  readonly dimension: string;
  readonly keys: readonly string[];
  readonly make: <T>() => Dimension<T>;
}

/** Buckets by key, and which of them a request should look into; there may be more than it fits. */
export abstract class Dimension<T> {
  readonly buckets = new Map<string, T[]>();

  add(key: string, item: T): void {
    const list = this.buckets.get(key);
    if (list === undefined) this.buckets.set(key, [item]);
    else list.push(item);
  }

  /** Adds every bucket to look into. */
  abstract look(facts: Facts, into: (readonly T[])[]): void;

  protected take(key: string, into: (readonly T[])[]): void {
    const bucket = this.buckets.get(key);
    if (bucket !== undefined) into.push(bucket);
  }
}

/** The lookups a test offers; none where it says what a request must not have. */
export function lookupsOf({ key, not, name, path, values }: AuthzTest): Lookup[] {
  if (not) return [];
  switch (key) {
    case "path":
      return [
        ...lookup("segment", values.map(firstSegmentOf), Segments),
        ...lookup("path end", values.map(endOf), PathEnds),
      ];
    case "host": {
      const plain = values.map((value) => hasPort(value) ? "" : value.toLowerCase());
      return [
        ...lookup("host", plain.map(exact), Hosts),
        ...lookup("host end", plain.map(endOf), HostEnds),
      ];
    }
    case "ip":
      return lookup("ip", values.map(networkKey), PeerNetworks);
    case "remote-ip":
      return lookup("remote ip", values.map(networkKey), ClientNetworks);
    case "request-principal":
      return [
        ...lookup("principal", values.map(exact), Principals),
        ...lookup("principal begin", values.map(beginOf), PrincipalBegins),
      ];
    case "header":
      return [
        ...lookup("header", values.map((value) => keyed(name, exact(value))), Headers),
        ...lookup("header begin", values.map((value) => keyed(name, beginOf(value))), HeaderBegins),
      ];
    case "audience":
      return ofClaim(["aud"], values);
    case "presenter":
      return ofClaim(["azp"], values);
    case "claim":
      return ofClaim(path, values);
    default:
      return [];
  }
}

/** None when a value has no key, which is "". */
function lookup(
  dimension: string,
  keys: readonly string[],
  Made: new <T>() => Dimension<T>,
): Lookup[] {
  if (keys.includes("")) return [];
  return [{ dimension, keys: [...new Set(keys)], make: <T>() => new Made<T>() }];
}

function ofClaim(path: readonly string[], values: readonly string[]): Lookup[] {
  const keys = values.map(exact);
  if (keys.includes("")) return [];
  const dimension = `claim ${JSON.stringify(path)}`;
  return [{ dimension, keys: [...new Set(keys)], make: <T>() => new ClaimValues<T>(path) }];
}

function exact(value: string): string {
  return value.startsWith("*") || value.endsWith("*") ? "" : value;
}

/** `b` of `*b`. */
function endOf(value: string): string {
  return value.startsWith("*") && !value.includes("{") ? value.slice(1) : "";
}

/** `b` of `b*`; what has no star begins with all of itself. */
function beginOf(value: string): string {
  if (value.startsWith("*")) return "";
  return value.endsWith("*") ? value.slice(0, -1) : value;
}

const keyed = (name: string, value: string): string => value === "" ? "" : `${name}:${value}`;

class Segments<T> extends Dimension<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    this.take(facts.segment, into);
    if (facts.otherPath !== "") this.take(firstSegment(facts.otherPath), into);
  }
}

class Principals<T> extends Dimension<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    if (facts.principal !== "") this.take(facts.principal, into);
  }
}

class Hosts<T> extends Dimension<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    this.take(facts.host, into);
  }
}

/** Keys are of few lengths, of which each is one look. */
abstract class Lengths<T> extends Dimension<T> {
  protected readonly lengths: number[] = [];

  override add(key: string, item: T): void {
    const length = this.lengthOf(key);
    if (!this.lengths.includes(length)) this.lengths.push(length);
    super.add(key, item);
  }

  protected lengthOf(key: string): number {
    return key.length;
  }
}

abstract class Ends<T> extends Lengths<T> {
  protected ends(text: string, into: (readonly T[])[]): void {
    for (let i = 0; i < this.lengths.length; i++) {
      const length = this.lengths[i]!;
      if (length <= text.length) this.take(text.slice(text.length - length), into);
    }
  }
}

class PathEnds<T> extends Ends<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    this.ends(facts.path, into);
    if (facts.otherPath !== "") this.ends(facts.otherPath, into);
  }
}

class HostEnds<T> extends Ends<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    this.ends(facts.host, into);
  }
}

abstract class NetworkKeys<T> extends Lengths<T> {
  /** Of the prefix, which the key begins with. */
  protected override lengthOf(key: string): number {
    return parseInt(key);
  }

  protected within(ip: Ip | null, into: (readonly T[])[]): void {
    if (ip === null) return;
    for (let i = 0; i < this.lengths.length; i++) {
      this.take(addressKey(ip, this.lengths[i]!), into);
    }
  }
}

class PeerNetworks<T> extends NetworkKeys<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    this.within(facts.ip, into);
  }
}

class ClientNetworks<T> extends NetworkKeys<T> {
  look(facts: Facts, into: (readonly T[])[]): void {
    this.within(facts.remoteIp, into);
  }
}

/** All header tests together: most lines of a request are of names that nobody asks for. */
class Headers<T> extends Dimension<T> {
  readonly #byName = new Map<string, Map<string, T[]>>();

  override add(key: string, item: T): void {
    super.add(key, item);
    const colon = key.indexOf(":");
    const name = key.slice(0, colon);
    let values = this.#byName.get(name);
    if (values === undefined) this.#byName.set(name, values = new Map());
    values.set(key.slice(colon + 1), this.buckets.get(key)!);
  }

  look({ fields: { lines } }: Facts, into: (readonly T[])[]): void {
    for (let i = 0; i < lines.length; i += 2) {
      const bucket = this.#byName.get(lines[i]!)?.get(lines[i + 1]!);
      if (bucket !== undefined) into.push(bucket);
    }
  }
}

/** For each name its beginnings are few lengths. */
class HeaderBegins<T> extends Dimension<T> {
  readonly #byName = new Map<string, { lengths: number[]; values: Map<string, T[]> }>();

  override add(key: string, item: T): void {
    super.add(key, item);
    const colon = key.indexOf(":");
    const name = key.slice(0, colon), begin = key.slice(colon + 1);
    let known = this.#byName.get(name);
    if (known === undefined) this.#byName.set(name, known = { lengths: [], values: new Map() });
    if (!known.lengths.includes(begin.length)) known.lengths.push(begin.length);
    known.values.set(begin, this.buckets.get(key)!);
  }

  look({ fields: { lines } }: Facts, into: (readonly T[])[]): void {
    for (let i = 0; i < lines.length; i += 2) {
      const known = this.#byName.get(lines[i]!);
      if (known === undefined) continue;
      const value = lines[i + 1]!;
      for (let j = 0; j < known.lengths.length; j++) {
        const length = known.lengths[j]!;
        if (length > value.length) continue;
        const bucket = known.values.get(value.slice(0, length));
        if (bucket !== undefined) into.push(bucket);
      }
    }
  }
}

class PrincipalBegins<T> extends Lengths<T> {
  look({ principal }: Facts, into: (readonly T[])[]): void {
    for (let i = 0; i < this.lengths.length; i++) {
      const length = this.lengths[i]!;
      if (length <= principal.length) this.take(principal.slice(0, length), into);
    }
  }
}

class ClaimValues<T> extends Dimension<T> {
  readonly #path: readonly string[];

  constructor(path: readonly string[]) {
    super();
    this.#path = path;
  }

  look({ claims }: Facts, into: (readonly T[])[]): void {
    if (claims === null) return;
    const value = claimAt(claims.values, this.#path);
    if (!Array.isArray(value)) return this.take(claimText(value), into);
    for (let i = 0; i < value.length; i++) this.take(claimText(value[i]), into);
  }
}
