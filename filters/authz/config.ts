/** Configuration of `authz`: policies of one place, as the control plane writes them. */
import { ConfigReader, integerItem, textItem } from "../parse.ts";

export interface AuthzConfig {
  /** Namespaces and service accounts are those of this trust domain; others are strangers. */
  readonly trustDomain: string;
  /** What rules with ports compare with. */
  readonly ports: readonly number[];
  /** Nothing is known but the two ends of a connection. */
  readonly l4: boolean;
  readonly policies: readonly AuthzPolicy[];
}

export const ACTIONS = ["ALLOW", "DENY", "AUDIT"] as const;

export interface AuthzPolicy {
  readonly name: string;
  readonly action: (typeof ACTIONS)[number];
  readonly dryRun: boolean;
  readonly rules: readonly AuthzRule[];
}

/** One of `from`, one of `to`, all of `when`; an empty list fits everything. */
export interface AuthzRule {
  readonly from: readonly (readonly AuthzTest[])[];
  readonly to: readonly (readonly AuthzTest[])[];
  readonly when: readonly AuthzTest[];
}

const TEST_KEYS = [
  "identity",
  "namespace",
  "service-account",
  "ip",
  "remote-ip",
  "request-principal",
  "audience",
  "presenter",
  "claim",
  "host",
  "port",
  "method",
  "path",
  "header",
] as const;
export type TestKey = (typeof TEST_KEYS)[number];

export interface AuthzTest {
  readonly key: TestKey;
  readonly not: boolean;
  /** Of a header, lower case; "" for other keys. */
  readonly name: string;
  /** Of a claim; empty for other keys. */
  readonly path: readonly string[];
  readonly values: readonly string[];
}

const ANY_TEXT = /^[^]{1,4096}$/;
const NAME = /^[^]{1,512}$/;
const HEADER = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/;
const DOMAIN = /^[a-z0-9._-]{0,255}$/;

export function parseAuthzConfig(config: unknown): AuthzConfig {
  const reader = new ConfigReader("authz", config);
  const parsed: AuthzConfig = {
    trustDomain: reader.text("trustDomain", DOMAIN, "a trust domain"),
    ports: reader.list("ports", (item, path) => integerItem(item, path, 0, 65535)),
    l4: reader.has("l4") && reader.boolean("l4"),
    policies: reader.list("policies", readPolicy),
  };
  reader.end();
  return parsed;
}

function readPolicy(item: unknown, path: string): AuthzPolicy {
  const reader = new ConfigReader(path, item);
  const policy: AuthzPolicy = {
    name: reader.text("name", NAME, "a name"),
    action: reader.oneOf("action", ACTIONS),
    dryRun: reader.has("dryRun") && reader.boolean("dryRun"),
    rules: reader.list("rules", readRule),
  };
  reader.end();
  return policy;
}

/** Read by `ext-authz` too, whose rules say what is asked about. */
export function readRule(item: unknown, path: string): AuthzRule {
  const reader = new ConfigReader(path, item);
  const rule: AuthzRule = {
    from: reader.list("from", readTests),
    to: reader.list("to", readOperation),
    when: reader.list("when", readTest),
  };
  reader.end();
  return rule;
}

function readTests(item: unknown, path: string): readonly AuthzTest[] {
  if (Array.isArray(item)) return item.map((one, at) => readTest(one, `${path}[${at}]`));
  throw new Error(`Cannot read ${path}: want an array of tests`);
}

/** Who asks is a matter of `from` and `when`. */
const OF_PEERS: readonly TestKey[] = ["identity", "namespace", "service-account"];

function readOperation(item: unknown, path: string): readonly AuthzTest[] {
  const tests = readTests(item, path);
  const odd = tests.findIndex(({ key }) => OF_PEERS.includes(key));
  if (odd < 0) return tests;
  throw new Error(`Cannot read ${path}[${odd}].key: it is "${tests[odd]!.key}", want it in from`);
}

function readTest(item: unknown, path: string): AuthzTest {
  const reader = new ConfigReader(path, item);
  const key = reader.oneOf("key", TEST_KEYS);
  const test: AuthzTest = {
    key,
    not: reader.has("not") && reader.boolean("not"),
    name: key === "header" ? reader.text("name", HEADER, "a field name in lower case") : "",
    path: key === "claim" ? reader.list("path", readName) : [],
    values: reader.list("values", (one, at) => textItem(one, at, ANY_TEXT, "a text")),
  };
  reader.end();
  return test;
}

function readName(item: unknown, path: string): string {
  return textItem(item, path, NAME, "a name of a claim");
}
