/** The part of a match that is not its path: method, headers and query, compiled once. */
import type { MatchSpec, ValueMatchSpec } from "../../control/schema/snapshot.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { compileRegex, Regex } from "../../core/regex.ts";
import { queryValue } from "./query.ts";

interface ValueTest {
  readonly name: string;
  /** Null: compare with `value`. */
  readonly regex: Regex | null;
  readonly value: string;
}

export interface Predicates {
  /** "" for any. */
  readonly method: string;
  readonly headers: readonly ValueTest[];
  readonly query: readonly ValueTest[];
}

/** Throws with a sentence on a pattern that no control plane should have let through. */
export function compilePredicates(match: MatchSpec): Predicates {
  return {
    method: match.method ?? "",
    // Names are case-insensitive, and only the first of a name counts (Gateway API, HTTPHeaderMatch).
    headers: firstOfName(
      (match.headers ?? []).map((one) => valueTest(one, one.name.toLowerCase())),
    ),
    query: firstOfName((match.query ?? []).map((one) => valueTest(one, one.name))),
  };
}

/** `query` is the index behind the question mark of `head.path`, or 0 without one. */
export function holds(predicates: Predicates, head: RequestHead, query: number): boolean {
  const { method, headers, query: params } = predicates;
  if (method !== "" && method !== head.method) return false;
  for (let i = 0; i < headers.length; i++) {
    const test = headers[i]!;
    const value = test.name === "host" ? head.authority : fieldValue(head.fields, test.name);
    if (value === undefined || !passes(test, value)) return false;
  }
  for (let i = 0; i < params.length; i++) {
    const test = params[i]!;
    const value = query === 0 ? null : queryValue(head.path, query, test.name);
    if (value === null || !passes(test, value)) return false;
  }
  return true;
}

/** Repeated lines count as one list (RFC 9110 5.3). */
function fieldValue(fields: Fields, name: string): string | undefined {
  const { lines } = fields;
  let value: string | undefined;
  for (let i = 0; i < lines.length; i += 2) {
    if (lines[i] !== name) continue;
    value = value === undefined ? lines[i + 1]! : `${value}, ${lines[i + 1]!}`;
  }
  return value;
}

function passes(test: ValueTest, value: string): boolean {
  return test.regex === null ? value === test.value : test.regex.test(value);
}

function valueTest(spec: ValueMatchSpec, name: string): ValueTest {
  const regex = spec.type === "RegularExpression" ? patternOf(spec.value) : null;
  return { name, regex, value: spec.value };
}

export function patternOf(source: string): Regex {
  const regex = compileRegex(source);
  if (regex instanceof Regex) return regex;
  throw new Error(`Cannot compile the pattern ${JSON.stringify(source)}: it ${regex.message}`);
}

function firstOfName(tests: readonly ValueTest[]): ValueTest[] {
  return tests.filter((test, at) => tests.findIndex((other) => other.name === test.name) === at);
}
