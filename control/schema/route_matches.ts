/** What matches of routes of several kinds are made of: patterns, and names with values. */
import { z } from "zod";
import { compileRegex, Regex } from "../../core/regex.ts";
import { headerName, hostname, problem, show, wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import { checkParents, type ParentRef } from "./route_refs.ts";

/** The host names a route is for. */
export const hostnames = z.array(hostname).max(LIMITS.hostnames, {
  error: `holds more than ${LIMITS.hostnames} host names`,
});

/** Why a pattern cannot be used; null when it can. */
export function regexProblem(pattern: string): string | null {
  const regex = compileRegex(pattern);
  if (regex instanceof Regex) return null;
  return `is ${show(pattern)}, which ${regex.message} (at character ${regex.at})`;
}

/** A header or query parameter, compared as it is or with a pattern. */
export function valueMatch(maxChars: number) {
  return z.strictObject({
    type: z.enum(["Exact", "RegularExpression"]).optional(),
    name: headerName,
    value: z.string().min(1, wanted("a text of at least one character"))
      .max(maxChars, wanted(`at most ${maxChars} characters`)),
  }).check((ctx) => {
    if (ctx.value.type !== "RegularExpression") return;
    const wrong = regexProblem(ctx.value.value);
    if (wrong !== null) problem(ctx, ["value"], wrong);
  });
}

/** A match may name a thing once. */
export function twice(
  ctx: z.core.ParsePayload<unknown>,
  list: string,
  names: readonly string[],
): void {
  names.forEach((text, at) => {
    if (names.indexOf(text) < at) {
      problem(ctx, [list, at, "name"], `is ${show(text)}, which this match already names`);
    }
  });
}

interface Rule {
  readonly name?: string | undefined;
  readonly matches?: readonly unknown[] | undefined;
}

/** What no field says alone: its parents differ, and so do the names of its rules, which are not too many. */
export function checkRoute(
  ctx: z.core.ParsePayload<
    { parentRefs: readonly ParentRef[]; rules?: readonly Rule[] | undefined }
  >,
): void {
  checkParents(ctx, ctx.value.parentRefs);
  checkRules(ctx, ctx.value.rules ?? []);
}

/** Names of rules are unique within a route, and all its matches together are bounded. */
function checkRules(ctx: z.core.ParsePayload<unknown>, rules: readonly Rule[]): void {
  const names = rules.map((one) => one.name);
  names.forEach((text, at) => {
    if (text !== undefined && names.indexOf(text) < at) {
      problem(ctx, ["rules", at, "name"], `is ${show(text)}, which another rule already has`);
    }
  });
  const total = rules.reduce((sum, one) => sum + Math.max(1, one.matches?.length ?? 0), 0);
  if (total > LIMITS.matchesPerRoute) {
    problem(ctx, ["rules"], `hold ${total} matches, wanted at most ${LIMITS.matchesPerRoute}`);
  }
}
