/** Turns what zod reports into errors for people: where, what stands there, what was wanted. */
import type { z } from "zod";
import { show } from "./common.ts";

export interface FieldProblem {
  /** `spec.rules[0].matches[1].path.value`; "" for the document itself. */
  readonly path: string;
  readonly message: string;
}

/** Parts of the Gateway API this version knows of and does not do. */
const NOT_YET = new Set([
  "RequestMirror",
  "CORS",
  "ExternalAuth",
  "requestMirror",
  "cors",
  "externalAuth",
  "sessionPersistence",
  "useDefaultGateways",
  "addresses",
  "infrastructure",
  "allowedListeners",
  "backendTLS",
  "defaultScope",
  "selector",
]);

/** Parses with `schema`; a failure is a list of problems, never an exception. */
export function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
): { ok: true; value: T } | { ok: false; problems: FieldProblem[] } {
  const result = schema.safeParse(value, { error: explain });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problems: result.error.issues.flatMap(spread) };
}

/** `["spec", "rules", 0, "a/b"]` as `spec.rules[0]["a/b"]`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(String(part))) {
      text += text === "" ? String(part) : `.${String(part)}`;
    } else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** The candidate a mistyped word most likely meant, or null. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let least = Math.min(3, Math.ceil(word.length / 3) + 1); // further than this is a guess
  for (const candidate of candidates) {
    const distance = candidate.toLowerCase() === word.toLowerCase()
      ? 0
      : editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Damerau–Levenshtein over short words; a swap of neighbours counts once. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3 || a.length > 64) return 99;
  let before: number[] = [], above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row.push(cost);
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}

/** Unknown keys come as one issue: one line a key, split again by {@link spread}. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownField(key, shapeOf(issue.inst))).join("\n");
    case "invalid_type":
      return `is ${show(issue.input)}, wanted ${TYPES[issue.expected] ?? issue.expected}` +
        (issue.expected === "string" && typeof issue.input === "number" ? " (quote it)" : "");
    case "invalid_value":
      return `is ${show(issue.input)}, wanted ${oneOf(issue.values.map(show))}` +
        meant(issue.input, issue.values.map(String));
    case "invalid_union":
      return explainUnion(issue);
    case "invalid_key":
      return issue.issues[0]?.message;
    case "too_big":
      return `is too large, wanted at most ${issue.maximum} (${issue.origin})`;
    case "too_small":
      return `is too small, wanted at least ${issue.minimum} (${issue.origin})`;
    default:
      return undefined;
  }
}

function explainUnion(issue: z.core.$ZodRawIssue): string {
  const { discriminator, options, input } = issue as unknown as {
    discriminator?: string;
    options?: readonly unknown[];
    input?: Record<string, unknown>;
  };
  if (discriminator === undefined || options === undefined) {
    return `is ${show(input)}, wanted another form`;
  }
  const given = input?.[discriminator];
  if (typeof given === "string" && NOT_YET.has(given)) {
    return `is ${show(given)}, which this version does not do; it does ${options.join(", ")}`;
  }
  return `is ${show(given)}, wanted ${oneOf(options.map(show))}${
    meant(given, options.map(String))
  }`;
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
};

function unknownField(key: string, known: readonly string[]): string {
  if (key === "selector" && known.includes("targetRefs")) {
    return "is not a known field; targetRefs say where it holds: [{ kind: Service, name: … }]";
  }
  if (NOT_YET.has(key)) return "is part of the Gateway API that this version does not do";
  const near = nearest(key, known);
  if (near !== null) return `is not a known field; did you mean ${show(near)}?`;
  return known.length === 0
    ? "is not a known field"
    : `is not a known field here; known are ${known.join(", ")}`;
}

function shapeOf(inst: unknown): string[] {
  const def = (inst as { _zod?: { def?: { shape?: Record<string, unknown> } } } | undefined)?._zod
    ?.def;
  return Object.keys(def?.shape ?? {});
}

function oneOf(options: readonly string[]): string {
  return options.length === 1 ? options[0]! : `one of ${options.join(", ")}`;
}

function meant(given: unknown, options: readonly string[]): string {
  const near = typeof given === "string" ? nearest(given, options) : null;
  return near === null ? "" : `; did you mean ${show(near)}?`;
}

function spread(issue: z.core.$ZodIssue): FieldProblem[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: pathText(issue.path), message: issue.message }];
  }
  const lines = issue.message.split("\n");
  return issue.keys.map((key, at) => ({
    path: pathText([...issue.path, key]),
    message: lines[at] ?? "is not a known field",
  }));
}
