/**
 * The routes of one host in the Gateway API's order of precedence: exact path, regular expression (the
 * longest first; the API leaves its place open), longest prefix; then method, number of headers, number
 * of query parameters, and at last the order the routes came in.
 */
import type { MatchSpec } from "../../control/schema/snapshot.ts";
import type { RequestHead } from "../../core/message.ts";
import type { Regex } from "../../core/regex.ts";
import { normalizePath } from "./path.ts";
import { compilePredicates, holds, patternOf, type Predicates } from "./predicates.ts";

/** One match of one rule. */
interface Entry<R> {
  readonly rule: R;
  readonly predicates: Predicates;
  readonly order: number;
}

/** Prefixes of one length: mostly one, and then no substring has to be made to find it. */
interface PrefixLevel<R> {
  readonly length: number;
  readonly byPrefix: Map<string, Entry<R>[]>;
  readonly only: string | null;
  readonly entries: readonly Entry<R>[];
}

export class PathTable<R> {
  readonly #exact = new Map<string, Entry<R>[]>();
  readonly #regexes: { readonly regex: Regex; readonly entry: Entry<R> }[] = [];
  readonly #prefixes: readonly PrefixLevel<R>[];

  constructor(rules: readonly { readonly matches: readonly MatchSpec[]; readonly rule: R }[]) {
    const prefixes = new Map<string, Entry<R>[]>();
    let order = 0;
    for (const { matches, rule } of rules) {
      for (const match of matches.length === 0 ? [{}] : matches) {
        this.#add(match, { rule, predicates: compilePredicates(match), order: order++ }, prefixes);
      }
    }
    for (const list of this.#exact.values()) list.sort(precedence);
    this.#regexes.sort((a, b) =>
      b.regex.pattern.length - a.regex.pattern.length || precedence(a.entry, b.entry)
    );
    this.#prefixes = levels(prefixes);
  }

  match(head: RequestHead): R | null {
    const { path } = head;
    const mark = path.indexOf("?");
    const plain = mark < 0 ? path : path.slice(0, mark);
    const query = mark + 1;
    const exact = this.#exact.get(plain);
    if (exact !== undefined) {
      const entry = first(exact, head, query);
      if (entry !== null) return entry.rule;
    }
    for (let i = 0; i < this.#regexes.length; i++) {
      const { regex, entry } = this.#regexes[i]!;
      if (regex.test(plain) && holds(entry.predicates, head, query)) return entry.rule;
    }
    for (let i = 0; i < this.#prefixes.length; i++) {
      const entries = under(this.#prefixes[i]!, plain);
      const entry = entries === null ? null : first(entries, head, query);
      if (entry !== null) return entry.rule;
    }
    return null;
  }

  #add(match: MatchSpec, entry: Entry<R>, prefixes: Map<string, Entry<R>[]>): void {
    const { type, value } = match.path ?? { type: "PathPrefix", value: "/" };
    if (type === "RegularExpression") {
      this.#regexes.push({ regex: patternOf(value), entry });
      return;
    }
    // Requests are compared in normal form, so routes have to stand in it too (`%7e`, `%c3`).
    const normal = normalizePath(value) ?? value;
    const key = type === "Exact" || !normal.endsWith("/") ? normal : normal.slice(0, -1);
    const map = type === "Exact" ? this.#exact : prefixes;
    const list = map.get(key);
    if (list === undefined) map.set(key, [entry]);
    else list.push(entry);
  }
}

function precedence<R>(a: Entry<R>, b: Entry<R>): number {
  return Number(b.predicates.method !== "") - Number(a.predicates.method !== "") ||
    b.predicates.headers.length - a.predicates.headers.length ||
    b.predicates.query.length - a.predicates.query.length ||
    a.order - b.order;
}

function levels<R>(prefixes: Map<string, Entry<R>[]>): PrefixLevel<R>[] {
  const byLength = new Map<number, Map<string, Entry<R>[]>>();
  for (const [prefix, entries] of prefixes) {
    entries.sort(precedence);
    const level = byLength.get(prefix.length) ?? new Map<string, Entry<R>[]>();
    byLength.set(prefix.length, level.set(prefix, entries));
  }
  return [...byLength].sort(([a], [b]) => b - a).map(([length, byPrefix]) => {
    const [prefix, entries] = [...byPrefix][0]!;
    return { length, byPrefix, only: byPrefix.size === 1 ? prefix : null, entries };
  });
}

/** The entries whose prefix `plain` begins with, by whole segments; `*` is under the empty prefix only. */
function under<R>(level: PrefixLevel<R>, plain: string): readonly Entry<R>[] | null {
  const { length, only } = level;
  if (length > plain.length) return null;
  if (length !== 0 && length !== plain.length && plain.charCodeAt(length) !== 0x2f) return null;
  if (only !== null) return plain.startsWith(only) ? level.entries : null;
  return level.byPrefix.get(plain.slice(0, length)) ?? null;
}

function first<R>(entries: readonly Entry<R>[], head: RequestHead, query: number): Entry<R> | null {
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    if (holds(entry.predicates, head, query)) return entry;
  }
  return null;
}
