/** Clauses of many policies, found by what a request has, so that a thousand cost little more than one. */
import type { Clause } from "./clauses.ts";
import type { Facts } from "./facts.ts";

interface Entry<P> {
  readonly policy: P;
  readonly clause: Clause;
}

/**
 * Each clause lies under one key of those it can be looked up by, under the one it shares with the fewest
 * others; where it has none, among the rest, which are gone through one by one.
 */
export class Index<P> {
  /** Policies that need no look at the request. */
  readonly #always: readonly P[];
  readonly #segments: Buckets<P>;
  readonly #hosts: Buckets<P>;
  readonly #principals: Buckets<P>;
  readonly #rest: readonly Entry<P>[];

  constructor(entries: readonly Entry<P>[]) {
    const always = new Set<P>();
    for (const { policy, clause } of entries) if (clause.tests.length === 0) always.add(policy);
    const open = entries.filter(({ policy }) => !always.has(policy));
    const counts = {
      segments: countsOf(open, "segments"),
      hosts: countsOf(open, "hosts"),
      principals: countsOf(open, "principals"),
    };
    const by = {
      segments: new Map<string, Entry<P>[]>(),
      hosts: new Map<string, Entry<P>[]>(),
      principals: new Map<string, Entry<P>[]>(),
    };
    const rest: Entry<P>[] = [];
    for (const entry of open) {
      let best: keyof typeof by | null = null;
      let least = Infinity;
      for (const dimension of ["segments", "principals", "hosts"] as const) {
        const keys = entry.clause[dimension];
        if (keys === null) continue;
        const most = Math.max(...keys.map((key) => counts[dimension].get(key)!));
        if (most < least) [best, least] = [dimension, most];
      }
      if (best === null) rest.push(entry);
      else for (const key of entry.clause[best]!) push(by[best], key, entry);
    }
    this.#always = [...always];
    this.#segments = by.segments.size === 0 ? null : by.segments;
    this.#hosts = by.hosts.size === 0 ? null : by.hosts;
    this.#principals = by.principals.size === 0 ? null : by.principals;
    this.#rest = rest;
  }

  /** A policy that matches; null for none. */
  find(facts: Facts): P | null {
    if (this.#always.length > 0) return this.#always[0]!;
    let found: P | null = null;
    if (this.#segments !== null) {
      found = first(this.#segments.get(facts.segment), facts);
      if (found === null && facts.otherPath !== "") {
        found = first(this.#segments.get(facts.otherSegment), facts);
      }
      if (found !== null) return found;
    }
    if (this.#principals !== null && facts.principal !== "") {
      found = first(this.#principals.get(facts.principal), facts);
      if (found !== null) return found;
    }
    if (this.#hosts !== null) {
      found = first(this.#hosts.get(facts.host), facts);
      if (found !== null) return found;
    }
    return first(this.#rest, facts);
  }

  /** All that match, some perhaps more than once. */
  collect(facts: Facts, into: P[]): void {
    for (let i = 0; i < this.#always.length; i++) into.push(this.#always[i]!);
    if (this.#segments !== null) {
      all(this.#segments.get(facts.segment), facts, into);
      if (facts.otherPath !== "") all(this.#segments.get(facts.otherSegment), facts, into);
    }
    if (this.#principals !== null) all(this.#principals.get(facts.principal), facts, into);
    if (this.#hosts !== null) all(this.#hosts.get(facts.host), facts, into);
    all(this.#rest, facts, into);
  }
}

type Buckets<P> = ReadonlyMap<string, readonly Entry<P>[]> | null;

function first<P>(entries: readonly Entry<P>[] | undefined, facts: Facts): P | null {
  if (entries === undefined) return null;
  for (let i = 0; i < entries.length; i++) {
    if (holds(entries[i]!.clause, facts)) return entries[i]!.policy;
  }
  return null;
}

function all<P>(entries: readonly Entry<P>[] | undefined, facts: Facts, into: P[]): void {
  if (entries === undefined) return;
  for (let i = 0; i < entries.length; i++) {
    if (holds(entries[i]!.clause, facts)) into.push(entries[i]!.policy);
  }
}

function holds({ tests }: Clause, facts: Facts): boolean {
  for (let i = 0; i < tests.length; i++) if (!tests[i]!.holds(facts)) return false;
  return true;
}

function countsOf<P>(
  entries: readonly Entry<P>[],
  dimension: "segments" | "hosts" | "principals",
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { clause } of entries) {
    for (const key of clause[dimension] ?? []) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
