/** What came of a case beside what was expected: a list of differences, each with the place it stands in the file. */
import { isDeepStrictEqual } from "node:util";
import type { Fields } from "../../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../../core/message.ts";
import type { CallRequest } from "../../../core/calls.ts";
import { KeyValues } from "../../../wasm/component/mod.ts";
import type { Expectation, Match } from "./case.ts";
import type { End } from "./fakes.ts";
import type { Outcome, Stage } from "./stage.ts";

export interface Difference {
  /** In the expectation: `["response", "headers", "x-a"]`. */
  readonly path: readonly (string | number)[];
  readonly wanted: string;
  readonly got: string;
  /** What to write in its place to have the case pass; undefined: nothing can be. */
  readonly update?: unknown;
}

type Message = {
  readonly headers?: Record<string, Match> | undefined;
  readonly body?: Match | undefined;
  readonly trailers?: Record<string, Match> | undefined;
};

export function compare(
  expected: Expectation | undefined,
  outcome: Outcome,
  stage: Stage,
): Difference[] {
  const found: Difference[] = [];
  if (
    outcome.trap !== "" && !(expected?.trap !== undefined && outcome.trap.includes(expected.trap))
  ) {
    const wanted = expected?.trap === undefined ? "no trap" : `a trap that says "${expected.trap}"`;
    found.push({ path: ["trap"], wanted, got: outcome.trap });
  } else if (expected?.trap !== undefined && outcome.trap === "") {
    found.push({ path: ["trap"], wanted: `a trap that says "${expected.trap}"`, got: "no trap" });
  }
  if (expected === undefined) return found;
  upstream(expected, outcome, found);
  response(expected, outcome.down, found);
  logs(expected.logs ?? [], outcome, found);
  metrics(expected.metrics ?? {}, stage, found);
  for (const [key, match] of Object.entries(expected.kv ?? {})) {
    check(["kv", key], match, kept(stage, key), found);
  }
  if (expected.calls !== undefined) calls(expected.calls, outcome.calls, found);
  fuel(expected.fuel ?? {}, outcome, found);
  return found;
}

/** The whole of what happened, as an expectation: what `--update` writes where there is none. */
export function expectationOf(outcome: Outcome): Expectation {
  const { upstream: up, down } = outcome;
  return {
    upstream: up?.head_ == null ? null : {
      method: up.head_.method,
      path: up.head_.path,
      headers: headersOf(up.head_.fields),
      ...(up.bytes.length === 0 ? {} : { body: textOf(up.bytes) }),
    },
    response: {
      status: down.head_?.status ?? 0,
      headers: down.head_ === null ? {} : headersOf(down.head_.fields),
      ...(down.bytes.length === 0 ? {} : { body: textOf(down.bytes) }),
    },
  };
}

function upstream(
  { upstream: wanted }: Expectation,
  { upstream: got }: Outcome,
  found: Difference[],
): void {
  if (wanted === undefined) return;
  const head = got?.head_ ?? null;
  if (wanted === null) {
    if (head !== null) {
      found.push({
        path: ["upstream"],
        wanted: "nothing reaches the upstream",
        got: `${head.method} ${head.path}`,
      });
    }
    return;
  }
  if (head === null) {
    return void found.push({
      path: ["upstream"],
      wanted: "the request reaches the upstream",
      got: "it does not",
      update: null,
    });
  }
  if (wanted.method !== undefined) check(["upstream", "method"], wanted.method, head.method, found);
  if (wanted.path !== undefined) check(["upstream", "path"], wanted.path, head.path, found);
  if (wanted.authority !== undefined) {
    check(["upstream", "authority"], wanted.authority, head.authority, found);
  }
  message(["upstream"], wanted, got!, found);
}

function response(
  { response: wanted }: Expectation,
  got: End<ResponseHead>,
  found: Difference[],
): void {
  if (wanted === undefined) return;
  if (got.head_ === null) {
    return void found.push({
      path: ["response"],
      wanted: "a response",
      got: `the exchange ended with ${got.fault?.code ?? "nothing"}`,
    });
  }
  if (got.fault !== null) {
    found.push({
      path: ["response"],
      wanted: "a whole response",
      got: `it was cut: ${got.fault.code}`,
    });
  }
  if (wanted.status !== undefined && wanted.status !== got.head_.status) {
    const why = got.head_.fields.get("denim-fault");
    found.push({
      path: ["response", "status"],
      wanted: String(wanted.status),
      got: `${got.head_.status}${why === undefined ? "" : ` (${why})`}`,
      update: got.head_.status,
    });
  }
  message(["response"], wanted, got, found);
}

function message(
  path: readonly string[],
  wanted: Message,
  got: End<RequestHead> | End<ResponseHead>,
  found: Difference[],
): void {
  for (const [name, match] of Object.entries(wanted.headers ?? {})) {
    check([...path, "headers", name], match, valueOf(got.head_!.fields, name.toLowerCase()), found);
  }
  if (wanted.body !== undefined) check([...path, "body"], wanted.body, textOf(got.bytes), found);
  for (const [name, match] of Object.entries(wanted.trailers ?? {})) {
    const value = got.trailers_ === null ? null : valueOf(got.trailers_, name.toLowerCase());
    check([...path, "trailers", name], match, value, found);
  }
}

function logs(
  wanted: NonNullable<Expectation["logs"]>,
  { logs: lines }: Outcome,
  found: Difference[],
): void {
  let from = 0;
  wanted.forEach((one, i) => {
    const { level, contains } = typeof one === "string" ? { contains: one, level: undefined } : one;
    const at = lines.findIndex((line, n) =>
      n >= from && line.text.includes(contains) && (level ?? line.level) === line.level
    );
    if (at >= 0) return void (from = at + 1);
    const got = lines.length === 0
      ? "no line"
      : lines.map((line) => `${line.level}: ${line.text}`).join(" | ");
    found.push({
      path: ["logs", i],
      wanted: `a line with "${contains}"${level === undefined ? "" : ` at ${level}`}`,
      got,
    });
  });
}

function metrics(
  wanted: Readonly<Record<string, number>>,
  stage: Stage,
  found: Difference[],
): void {
  const series = ["denim_wasm_custom_total", "denim_wasm_custom"].flatMap((family) =>
    stage.metrics.read(family)
  );
  for (const [name, value] of Object.entries(wanted)) {
    const got = series.find((one) => one.labels["name"] === name)?.value;
    if (got === value) continue;
    found.push({
      path: ["metrics", name],
      wanted: String(value),
      got: got === undefined ? "no such metric" : String(got),
      ...(got === undefined ? {} : { update: got }),
    });
  }
}

function calls(
  wanted: NonNullable<Expectation["calls"]>,
  made: readonly CallRequest[],
  found: Difference[],
): void {
  if (wanted.length !== made.length) {
    const got = made.map((call) => `${call.backend} ${call.head.method} ${call.head.path}`).join(
      ", ",
    );
    found.push({
      path: ["calls"],
      wanted: `${wanted.length} calls`,
      got: `${made.length}${got === "" ? "" : `: ${got}`}`,
    });
  }
  wanted.forEach((one, i) => {
    const call = made[i];
    if (call === undefined) return;
    const at = ["calls", i];
    check([...at, "upstream"], one.upstream, call.backend, found);
    if (one.method !== undefined) check([...at, "method"], one.method, call.head.method, found);
    if (one.path !== undefined) check([...at, "path"], one.path, call.head.path, found);
    for (const [name, match] of Object.entries(one.headers ?? {})) {
      check([...at, "headers", name], match, valueOf(call.head.fields, name.toLowerCase()), found);
    }
    if (one.body !== undefined) check([...at, "body"], one.body, textOf(call.body), found);
  });
}

function fuel(
  wanted: NonNullable<Expectation["fuel"]>,
  outcome: Outcome,
  found: Difference[],
): void {
  const worst = outcome.callbacks.reduce((most, one) => one.fuel > most.fuel ? one : most, {
    fuel: 0,
    hook: "",
  });
  if (wanted.call !== undefined && worst.fuel > wanted.call) {
    found.push({
      path: ["fuel", "call"],
      wanted: `at most ${wanted.call}`,
      got: `${worst.fuel} for ${worst.hook}`,
      update: worst.fuel,
    });
  }
  if (wanted.exchange !== undefined && outcome.fuel > wanted.exchange) {
    found.push({
      path: ["fuel", "exchange"],
      wanted: `at most ${wanted.exchange}`,
      got: String(outcome.fuel),
      update: outcome.fuel,
    });
  }
}

/** `got`: null for absent, a list where there are several. */
function check(
  path: readonly (string | number)[],
  match: Match,
  got: string | string[] | null,
  found: Difference[],
): void {
  const wanted = unmet(match, got);
  if (wanted !== null) found.push({ path, wanted, got: shown(got), update: got });
}

/** What the match wants, when it does not have it; null when it does. */
function unmet(match: Match, got: string | string[] | null): string | null {
  if (match === null) return got === null ? null : "absent";
  if (typeof match === "string" || Array.isArray(match)) {
    return isDeepStrictEqual(match, got) ? null : shown(match);
  }
  const text = Array.isArray(got) ? got.join(", ") : got;
  if (match.contains !== undefined && !text?.includes(match.contains)) {
    return `contains ${shown(match.contains)}`;
  }
  if (match.matches !== undefined && (text === null || !new RegExp(match.matches).test(text))) {
    return `matches /${match.matches}/`;
  }
  if (match.not !== undefined && text?.includes(match.not)) {
    return `does not contain ${shown(match.not)}`;
  }
  if (match.json !== undefined && !isDeepStrictEqual(match.json, json(text))) {
    return `the JSON ${JSON.stringify(match.json)}`;
  }
  return null;
}

function json(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

function shown(value: string | string[] | null): string {
  return value === null ? "absent" : JSON.stringify(value);
}

function kept(stage: Stage, key: string): string | null {
  for (const store of stage.stores) {
    const value = store instanceof KeyValues ? store.get(key)?.[0] : store.get(key)?.bytes;
    if (value !== undefined) return textOf(value);
  }
  return null;
}

function headersOf(fields: Fields): Record<string, Match> {
  const names = new Set(fields.lines.filter((_, i) => i % 2 === 0));
  return Object.fromEntries([...names].map((name) => [name, valueOf(fields, name)]));
}

/** Fields hold one char a byte; cases are written in UTF-8. */
function valueOf(fields: Fields, name: string): string | string[] | null {
  const all = fields.all(name).map((value) =>
    textOf(Uint8Array.from(value, (char) => char.charCodeAt(0)))
  );
  return all.length === 0 ? null : all.length === 1 ? all[0]! : all;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
