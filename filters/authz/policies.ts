/**
 * A set of policies of one kind in one place. Peers are few and requests many: what a peer's identity decides
 * is decided when it first comes, and kept.
 */
import type { FilterContext } from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import { type CompiledRule, compileRule, peerOf } from "./clauses.ts";
import type { AuthzConfig, AuthzRule } from "./config.ts";
import { Facts } from "./facts.ts";
import { Index } from "./index.ts";

/** Identities whose view is kept; the oldest goes when one more comes, and is made anew when it is back. */
export const PEER_LIMIT = 4096;
/** Different views that are kept: most peers share theirs with others. */
export const VIEW_LIMIT = 256;

type Place = Pick<AuthzConfig, "trustDomain" | "ports" | "l4">;

/** A policy whose rules are to be matched. */
export interface Ruled {
  readonly rules: readonly AuthzRule[];
}

interface Compiled<P> {
  readonly policy: P;
  readonly rule: CompiledRule;
}

/** One object for all: everything here is synchronous, and what it holds is good until the next read. */
const FACTS = new Facts();

export class Policies<P extends Ruled> {
  readonly #rules: readonly Compiled<P>[];
  readonly #trustDomain: string;
  readonly #byPeer = new Map<string, Index<P>>();
  readonly #bySignature = new Map<string, Index<P>>();

  /** `letsIn`: they allow, so that in doubt they must not match. Throws on a value it cannot compile. */
  constructor(policies: readonly P[], place: Place, letsIn: boolean) {
    this.#trustDomain = place.trustDomain;
    this.#rules = policies.flatMap((policy) =>
      policy.rules.map((rule) => compileRule(rule, place, letsIn))
        .filter((rule) => rule !== null).map((rule) => ({ policy, rule }))
    );
  }

  /** A policy that matches; null for none. */
  find(peer: string, facts: Facts): P | null {
    return this.#rules.length === 0 ? null : this.#view(peer).find(facts);
  }

  /** All that match, each once. */
  all(peer: string, facts: Facts): readonly P[] {
    if (this.#rules.length === 0) return [];
    const found: P[] = [];
    this.#view(peer).collect(facts, found);
    return found.length < 2 ? found : [...new Set(found)];
  }

  /** How many identities and indexes are kept. */
  get sizes(): { peers: number; views: number } {
    return { peers: this.#byPeer.size, views: this.#bySignature.size };
  }

  #view(peer: string): Index<P> {
    return this.#byPeer.get(peer) ?? this.#learn(peer);
  }

  #learn(identity: string): Index<P> {
    const peer = peerOf(identity, this.#trustDomain);
    const signatures = this.#rules.map(({ rule }) => rule.signature(peer));
    const key = signatures.join(";");
    let view = this.#bySignature.get(key);
    if (view === undefined) {
      view = new Index(
        this.#rules.flatMap(({ policy, rule }, at) =>
          rule.clauses(signatures[at]!).map((clause) => ({ policy, clause }))
        ),
      );
      keep(this.#bySignature, key, view, VIEW_LIMIT);
    }
    keep(this.#byPeer, identity, view, PEER_LIMIT);
    return view;
  }
}

/** What policies may know of this exchange; good until the next one asks. */
export function factsOf(ctx: FilterContext, head: RequestHead): Facts {
  FACTS.read(ctx, head);
  return FACTS;
}

function keep<T>(map: Map<string, T>, key: string, value: T, limit: number): void {
  if (map.size >= limit) map.delete(map.keys().next().value!);
  map.set(key, value);
}
