/** What a test of a filter says: `tests/*.yaml` beside it. docs/filters.md explains every field. */
import { z } from "zod";
import { FAULTS } from "../../../core/fault.ts";

function wanted(what: string): { error: string } {
  return { error: `wanted ${what}` };
}

const text = z.string(wanted("text"));
const headers = z.record(
  text.regex(/^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, wanted("the name of a header")),
  z.union([text, z.array(text)], wanted("text, or a list of texts")),
);
/** One text is one chunk, a list its chunks as they arrive. */
const body = z.union(
  [text, z.array(text), z.strictObject({ base64: z.base64(wanted("base64")) })],
  wanted("text, a list of chunks, or {base64: …}"),
);
const status = z.int(wanted("a status")).min(200, wanted("a status")).max(599, wanted("a status"));
const duration = text.regex(/^\d+(?:\.\d+)?(?:ms|s|m|h)$/, wanted('a duration such as "5s"'));

const message = {
  headers: headers.default({}),
  body: body.default(""),
  trailers: headers.default({}),
};

const requestSchema = z.strictObject({
  method: text.regex(/^[A-Z]+$/, wanted("a method such as GET")).default("GET"),
  scheme: z.enum(["http", "https"], wanted("http or https")).default("http"),
  authority: text.default("app.example"),
  path: text.startsWith("/", wanted("a path that begins with /")).default("/"),
  /** SPIFFE id of the client. */
  peer: text.default(""),
  ...message,
});

const responseSchema = z.strictObject({ status: status.default(200), ...message });

const faultSchema = z.enum(
  Object.keys(FAULTS) as [keyof typeof FAULTS, ...(keyof typeof FAULTS)[]],
  wanted('the name of a fault, such as "call.timeout"'),
);

/** Exactly this text, none at all (null), or what is true of it. */
const match = z.union([
  text,
  z.null(),
  z.array(text),
  z.strictObject({
    contains: text.optional(),
    matches: text.refine(isPattern, wanted("a regular expression")).optional(),
    not: text.optional(),
    json: z.json().optional(),
  }),
], wanted("text, a list, null (absent), or one of contains, matches, not, json"));

const atMost = z.int(wanted("a number of fuel units")).min(0);

const messageExpectation = {
  headers: z.record(text, match).optional(),
  body: match.optional(),
  trailers: z.record(text, match).optional(),
};

const expectSchema = z.strictObject({
  /** What reached the upstream; null: nothing did. */
  upstream: z.union([
    z.null(),
    z.strictObject({
      method: text.optional(),
      path: match.optional(),
      authority: match.optional(),
      ...messageExpectation,
    }),
  ], wanted("what reached the upstream, or null for nothing")).optional(),
  /** What the client got. */
  response: z.strictObject({ status: z.int(wanted("a status")).optional(), ...messageExpectation })
    .optional(),
  /** In this order, others between them. */
  logs: z.array(z.union([text, z.strictObject({ level: text.optional(), contains: text })]))
    .optional(),
  /** By the name the filter gave them: their values afterwards. */
  metrics: z.record(text, z.number(wanted("a number"))).optional(),
  kv: z.record(text, match).optional(),
  /** All calls it made, in order. */
  calls: z.array(z.strictObject({
    upstream: text,
    method: text.optional(),
    path: match.optional(),
    ...messageExpectation,
  })).optional(),
  fuel: z.strictObject({ call: atMost.optional(), exchange: atMost.optional() }).optional(),
  /** Part of a trap's report; without it a trap fails the case. */
  trap: text.optional(),
});

const exchange = {
  request: requestSchema.prefault({}),
  /** The upstream's answer. */
  response: responseSchema.prefault({}),
  expect: expectSchema.optional(),
};

export const caseSchema = z.strictObject({
  name: text.min(1, wanted("a name")),
  /** Instead of the manifest's; text goes to the filter as it is. */
  config: z.json().optional(),
  /** The filter refuses its configuration, saying this among other things. */
  refuses: text.optional(),
  clock: z.iso.datetime({ offset: true, error: 'wanted a time such as "2026-01-01T00:00:00Z"' })
    .default("2026-01-01T00:00:00Z"),
  seed: z.int(wanted("a whole number")).default(1),
  failMode: z.enum(["open", "closed"], wanted("open or closed")).default("closed"),
  /** What the filter may do, in place of all it asks for. */
  capabilities: z.array(text).optional(),
  /** What it has kept from earlier. */
  kv: z.record(text, text).default({}),
  /** Answers to calls of its own: each is used once, the last of an upstream for all that follow. */
  calls: z.array(z.strictObject({
    upstream: text,
    after: duration.default("0ms"),
    answer: responseSchema.optional(),
    fault: faultSchema.optional(),
  })).default([]),
  ...exchange,
  /** Several exchanges through the same instance, in place of one. */
  steps: z.array(z.strictObject({ after: duration.default("0ms"), ...exchange })).optional(),
});

export const fileSchema = z.strictObject({
  cases: z.array(caseSchema, wanted("a list of cases")).min(1, wanted("at least one case")),
});

export type Case = z.infer<typeof caseSchema>;
export type Request = z.infer<typeof requestSchema>;
export type Response = z.infer<typeof responseSchema>;
export type Expectation = z.infer<typeof expectSchema>;
export type Match = z.infer<typeof match>;
export type Body = z.infer<typeof body>;
export type Headers = z.infer<typeof headers>;
export type MockedCall = Case["calls"][number];

/** Milliseconds of "5s". */
export function durationMs(text: string): number {
  const [, number, unit] = /^([\d.]+)(ms|s|m|h)$/.exec(text)!;
  return Number(number) *
    { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as "ms" | "s" | "m" | "h"];
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}
