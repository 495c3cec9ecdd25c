/**
 * Rules taken apart. What hangs on the place (ports, bare TCP) is decided when they are compiled, what hangs
 * on the peer's identity once per identity; what is left of a rule then are clauses: tests of the request.
 */
import type { AuthzConfig, AuthzRule, AuthzTest } from "./config.ts";
import { type Lookup, lookupsOf } from "./dimensions.ts";
import { TextPattern } from "./patterns.ts";
import { byCost, compileTest, isOfConnections, type Test } from "./predicates.ts";

/** Who a connection's peer is: parts of its identity; "" for what it has not. */
export interface Peer {
  readonly identity: string;
  /** Of the mesh's own trust domain; "" for others. */
  readonly namespace: string;
  /** `namespace/name` */
  readonly serviceAccount: string;
}

/** `spiffe://domain/ns/NAMESPACE/sa/NAME`, as every workload of a mesh is called. */
export function peerOf(identity: string, trustDomain: string): Peer {
  const prefix = `spiffe://${trustDomain}/ns/`;
  if (trustDomain === "" || !identity.startsWith(prefix)) return stranger(identity);
  const [namespace, sa, name, ...more] = identity.slice(prefix.length).split("/");
  if (sa !== "sa" || name === undefined || more.length > 0) return stranger(identity);
  return { identity, namespace: namespace!, serviceAccount: `${namespace}/${name}` };
}

function stranger(identity: string): Peer {
  return { identity, namespace: "", serviceAccount: "" };
}

/** An AND of tests, and the ways in which a request that fits can be looked up. */
export interface Clause {
  readonly tests: readonly Test[];
  readonly lookups: readonly Lookup[];
}

interface PeerTest {
  readonly not: boolean;
  readonly of: keyof Peer;
  readonly pattern: TextPattern;
}

interface Source {
  readonly peer: readonly PeerTest[];
  readonly rest: readonly AuthzTest[];
}

/** One rule in one place; null when nothing there can ever match it. */
export function compileRule(
  rule: AuthzRule,
  place: Pick<AuthzConfig, "ports" | "l4">,
  letsIn: boolean,
): CompiledRule | null {
  const when = inPlace(rule.when, place, letsIn);
  if (when === null) return null;
  const from = alternatives(rule.from, place, letsIn);
  const to = alternatives(rule.to, place, letsIn);
  return from.length === 0 || to.length === 0 ? null : new CompiledRule(from, to, when, letsIn);
}

/** One that has no tests left makes the others idle. */
function alternatives(
  lists: readonly (readonly AuthzTest[])[],
  place: Pick<AuthzConfig, "ports" | "l4">,
  letsIn: boolean,
): (readonly AuthzTest[])[] {
  if (lists.length === 0) return [[]];
  const left = lists.map((tests) => inPlace(tests, place, letsIn)).filter((one) => one !== null);
  return left.some((tests) => tests.length === 0) ? [[]] : left;
}

/**
 * The tests that are still open; null when one cannot hold. Of a connection that is no HTTP a rule that lets
 * in must not ask what nobody can answer; one that refuses makes do with what is known.
 */
function inPlace(
  tests: readonly AuthzTest[],
  { ports, l4 }: Pick<AuthzConfig, "ports" | "l4">,
  letsIn: boolean,
): readonly AuthzTest[] | null {
  const open: AuthzTest[] = [];
  for (const test of tests) {
    if (test.key === "port") {
      const fits = test.values.some((value) => value === "*" || ports.includes(Number(value)));
      if (fits === test.not) return null;
    } else if (!l4 || isOfConnections(test)) open.push(test);
    else if (letsIn) return null;
  }
  return open;
}

export class CompiledRule {
  readonly #sources: readonly Source[];
  readonly #when: Source;
  readonly #to: readonly (readonly AuthzTest[])[];
  /** Tests are shared by the clauses of all peers. */
  readonly #tests = new Map<AuthzTest, Test>();

  constructor(
    from: readonly (readonly AuthzTest[])[],
    to: readonly (readonly AuthzTest[])[],
    when: readonly AuthzTest[],
    letsIn: boolean,
  ) {
    this.#sources = from.map(split);
    this.#when = split(when);
    this.#to = to;
    // All of them now: a value that cannot be compiled must not be found out by a request.
    for (const tests of [...to, this.#when.rest, ...this.#sources.map((source) => source.rest)]) {
      for (const test of tests) this.#tests.set(test, compileTest(test, letsIn));
    }
  }

  /** Which sources fit a peer, as a text: peers with the same have the same clauses. "" for none. */
  signature(peer: Peer): string {
    if (!fits(this.#when, peer)) return "";
    let signature = "";
    for (let i = 0; i < this.#sources.length; i++) {
      if (!fits(this.#sources[i]!, peer)) continue;
      if (this.#sources[i]!.rest.length === 0) return "*"; // the others add nothing
      signature += `${i},`;
    }
    return signature;
  }

  /** What a request of such peers has still to fit. */
  clauses(signature: string): Clause[] {
    if (signature === "") return [];
    const sources = signature === "*"
      ? [[]]
      : signature.slice(0, -1).split(",").map((at) => this.#sources[Number(at)]!.rest);
    return sources.flatMap((source) =>
      this.#to.map((operation) => this.#clause([...operation, ...source, ...this.#when.rest]))
    );
  }

  #clause(tests: readonly AuthzTest[]): Clause {
    const sorted = [...tests].sort(byCost);
    return {
      tests: sorted.map((test) => this.#tests.get(test)!),
      lookups: sorted.flatMap(lookupsOf),
    };
  }
}

const PEER_KEYS: Readonly<Record<string, keyof Peer>> = {
  "identity": "identity",
  "namespace": "namespace",
  "service-account": "serviceAccount",
};

function split(tests: readonly AuthzTest[]): Source {
  const peer: PeerTest[] = [], rest: AuthzTest[] = [];
  for (const test of tests) {
    const of = PEER_KEYS[test.key];
    if (of === undefined) rest.push(test);
    else peer.push({ of, not: test.not, pattern: new TextPattern(test.values) });
  }
  return { peer, rest };
}

function fits({ peer: tests }: Source, peer: Peer): boolean {
  for (let i = 0; i < tests.length; i++) {
    const { of, pattern, not } = tests[i]!;
    if (pattern.fits(peer[of]) === not) return false;
  }
  return true;
}
