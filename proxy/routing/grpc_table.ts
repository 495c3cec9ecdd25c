/**
 * The routes of one host that are GRPCRoutes, in the Gateway API's order of precedence: most characters in
 * a matching service, then in a matching method, most headers, and at last the order the routes came in.
 * What matches a service matches all of its name, so the order is the same for every request; a pattern
 * stands behind a name it says the same as.
 */
import type { MatchSpec } from "../../control/schema/snapshot.ts";
import type { RequestHead } from "../../core/message.ts";
import type { Regex } from "../../core/regex.ts";
import { compilePredicates, holds, patternOf, type Predicates } from "./predicates.ts";

/** A service or a method: any, one by name, or those that fit a pattern. */
type Part = null | string | Regex;

interface Entry<R> {
  readonly rule: R;
  readonly service: Part;
  readonly method: Part;
  readonly predicates: Predicates;
  readonly order: number;
}

export class GrpcTable<R> {
  /** By service named in full, with all others that could match it, in order. */
  readonly #byService = new Map<string, readonly Entry<R>[]>();
  readonly #others: readonly Entry<R>[];

  constructor(rules: readonly { readonly matches: readonly MatchSpec[]; readonly rule: R }[]) {
    const entries: Entry<R>[] = [];
    for (const { matches, rule } of rules) {
      for (const match of matches) entries.push(entryOf(match, rule, entries.length));
    }
    entries.sort(precedence);
    for (const { service } of entries) {
      if (typeof service !== "string" || this.#byService.has(service)) continue;
      const own = entries.filter((one) =>
        typeof one.service !== "string" || one.service === service
      );
      this.#byService.set(service, own);
    }
    this.#others = entries.filter((one) => typeof one.service !== "string");
  }

  match(head: RequestHead): R | null {
    // "gRPC over HTTP2", Requests: the path is /service/method.
    const { path } = head;
    const mark = path.indexOf("?");
    const end = mark < 0 ? path.length : mark;
    const slash = path.indexOf("/", 1);
    const middle = slash < 0 || slash > end ? end : slash;
    const service = path.slice(1, middle);
    const method = path.slice(middle + 1, end);
    return this.#first(this.#byService.get(service) ?? this.#others, service, method, head);
  }

  #first(
    entries: readonly Entry<R>[],
    service: string,
    method: string,
    head: RequestHead,
  ): R | null {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (!fits(entry.service, service) || !fits(entry.method, method)) continue;
      if (holds(entry.predicates, head, 0)) return entry.rule;
    }
    return null;
  }
}

function entryOf<R>(match: MatchSpec, rule: R, order: number): Entry<R> {
  const { type = "Exact", service, method } = match.grpc ?? {};
  const part = (text: string | undefined): Part =>
    text === undefined ? null : type === "Exact" ? text : patternOf(text);
  return {
    rule,
    service: part(service),
    method: part(method),
    predicates: compilePredicates(match),
    order,
  };
}

function fits(part: Part, text: string): boolean {
  return part === null || (typeof part === "string" ? part === text : part.test(text));
}

function precedence<R>(a: Entry<R>, b: Entry<R>): number {
  return Number(b.service !== null) - Number(a.service !== null) ||
    Number(b.method !== null) - Number(a.method !== null) ||
    b.predicates.headers.length - a.predicates.headers.length ||
    names(b) - names(a) ||
    a.order - b.order;
}

/** How much of it is a name and no pattern. */
function names<R>({ service, method }: Entry<R>): number {
  return Number(typeof service === "string") + Number(typeof method === "string");
}
