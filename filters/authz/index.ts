/** Clauses of many policies, found by what a request has, so that a thousand cost little more than one. */
import type { Clause } from "./clauses.ts";
import type { Dimension, Lookup } from "./dimensions.ts";
import type { Facts } from "./facts.ts";

interface Entry<P> {
  readonly policy: P;
  readonly clause: Clause;
}

/**
 * Each clause lies in one dimension of those it can be looked up in: where it shares its keys with the fewest
 * others. Where there is none it is among the rest, which are gone through one by one.
 */
export class Index<P> {
  /** Policies that need no look at the request. */
  readonly #always: readonly P[];
  readonly #dimensions: readonly Dimension<Entry<P>>[];
  readonly #rest: readonly Entry<P>[];
  /** What the present request has to be compared with; used over and over. */
  readonly #buckets: (readonly Entry<P>[])[] = [];

  constructor(entries: readonly Entry<P>[]) {
    const always = new Set<P>();
    for (const { policy, clause } of entries) if (clause.tests.length === 0) always.add(policy);
    const open = entries.filter(({ policy }) => !always.has(policy));
    const dimensions = new Map<string, Dimension<Entry<P>>>();
    const rest: Entry<P>[] = [];
    const crowds = crowdsOf(open);
    for (const entry of open) {
      const best = leastCrowded(entry.clause.lookups, crowds);
      if (best === null) {
        rest.push(entry);
        continue;
      }
      let dimension = dimensions.get(best.dimension);
      if (dimension === undefined) dimensions.set(best.dimension, dimension = best.make());
      for (const key of best.keys) dimension.add(key, entry);
    }
    this.#always = [...always];
    this.#dimensions = [...dimensions.values()];
    this.#rest = rest;
  }

  /** A policy that matches; null for none. */
  find(facts: Facts): P | null {
    if (this.#always.length > 0) return this.#always[0]!;
    const buckets = this.#look(facts);
    for (let i = 0; i < buckets.length; i++) {
      const entries = buckets[i]!;
      for (let j = 0; j < entries.length; j++) {
        if (holds(entries[j]!.clause, facts)) return entries[j]!.policy;
      }
    }
    return null;
  }

  /** All that match, some perhaps more than once. */
  collect(facts: Facts, into: P[]): void {
    for (let i = 0; i < this.#always.length; i++) into.push(this.#always[i]!);
    for (const entries of this.#look(facts)) {
      for (const { policy, clause } of entries) if (holds(clause, facts)) into.push(policy);
    }
  }

  #look(facts: Facts): readonly (readonly Entry<P>[])[] {
    const buckets = this.#buckets;
    buckets.length = 0;
    for (let i = 0; i < this.#dimensions.length; i++) this.#dimensions[i]!.look(facts, buckets);
    if (this.#rest.length > 0) buckets.push(this.#rest);
    return buckets;
  }
}

function holds({ tests }: Clause, facts: Facts): boolean {
  for (let i = 0; i < tests.length; i++) if (!tests[i]!.holds(facts)) return false;
  return true;
}

/** How many clauses could lie under each key, by dimension and key. */
function crowdsOf<P>(entries: readonly Entry<P>[]): ReadonlyMap<string, number> {
  const crowds = new Map<string, number>();
  for (const { clause } of entries) {
    for (const { dimension, keys } of clause.lookups) {
      for (const key of keys) {
        const at = `${dimension} ${key}`;
        crowds.set(at, (crowds.get(at) ?? 0) + 1);
      }
    }
  }
  return crowds;
}

function leastCrowded(
  lookups: readonly Lookup[],
  crowds: ReadonlyMap<string, number>,
): Lookup | null {
  let best: Lookup | null = null;
  let least = Infinity;
  for (const lookup of lookups) {
    let most = 0;
    for (const key of lookup.keys) {
      most = Math.max(most, crowds.get(`${lookup.dimension} ${key}`)!);
    }
    if (most < least) [best, least] = [lookup, most];
  }
  return best;
}
