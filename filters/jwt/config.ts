/** Configuration of `jwt`. */
import { ConfigReader, textItem } from "../parse.ts";
import { freeFieldName } from "../headers/config.ts";
import { ALGORITHM_NAMES, type AlgorithmName } from "./algorithms.ts";
import { JWT_LIMITS } from "./limits.ts";
import { type PublicJwk, readKey } from "./keys.ts";

export interface JwtConfig {
  /** All that hold here; a token has to please one of them, and each that is `required`. */
  readonly policies: readonly JwtPolicyConfig[];
}

export interface JwtPolicyConfig {
  /** `namespace/name`. */
  readonly name: string;
  /** Requests without a token of this policy get 401. */
  readonly required: boolean;
  readonly rules: readonly JwtRuleConfig[];
}

export interface JwtRuleConfig {
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Names of RFC 7518 3.1; never `none` or an HMAC. */
  readonly algorithms: readonly AlgorithmName[];
  /** Where the keys came from, for messages to the control plane; "" for keys of the resource itself. */
  readonly source: string;
  /** Null: they have never been fetched. */
  readonly keys: readonly PublicJwk[] | null;
  readonly clockSkewMs: number;
  /** With the two after it empty: the Authorization header, scheme Bearer. Names are lower case. */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** The claim as the names that lead to it. */
  readonly claimHeaders: readonly { readonly header: string; readonly claim: readonly string[] }[];
  /** "" for none. */
  readonly payloadHeader: string;
  /** The upstream gets the token too. */
  readonly forward: boolean;
}

const ANY = /^[^]+$/;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/;
const NAME_WANTED = "a field name in lower case";
const MAX_SKEW_MS = 3_600_000;

export function parseJwtConfig(config: unknown): JwtConfig {
  const reader = new ConfigReader("jwt", config);
  const policies = reader.list("policies", readPolicy);
  reader.end();
  return { policies };
}

function readPolicy(item: unknown, path: string): JwtPolicyConfig {
  const reader = new ConfigReader(path, item);
  const policy = {
    name: reader.text("name", ANY, "a name"),
    required: reader.boolean("required"),
    rules: reader.list("rules", readRule),
  };
  reader.end();
  return policy;
}

function readRule(item: unknown, path: string): JwtRuleConfig {
  const reader = new ConfigReader(path, item);
  const text = (item: unknown, path: string) => textItem(item, path, ANY, "a string");
  const payloadHeader = reader.text("payloadHeader", /^/, "a field name or an empty string");
  const rule: JwtRuleConfig = {
    issuer: reader.text("issuer", ANY, "an issuer"),
    audiences: some(reader.list("audiences", text), `${path}.audiences`),
    algorithms: some(reader.list("algorithms", readAlgorithm), `${path}.algorithms`),
    source: reader.text("source", /^/, "a string"),
    keys: reader.has("keys") ? readKeys(reader, path) : null,
    clockSkewMs: reader.integer("clockSkewMs", 0, MAX_SKEW_MS),
    fromHeaders: reader.list("fromHeaders", readHeader),
    fromParams: reader.list("fromParams", text),
    fromCookies: reader.list("fromCookies", text),
    claimHeaders: reader.list("claimHeaders", (item, path) => {
      const claim = new ConfigReader(path, item);
      const header = outputName(claim.text("header", NAME, NAME_WANTED), `${path}.header`);
      const read = { header, claim: some(claim.list("claim", text), `${path}.claim`) };
      claim.end();
      return read;
    }),
    payloadHeader: payloadHeader === "" ? "" : outputName(
      textItem(payloadHeader, `${path}.payloadHeader`, NAME, NAME_WANTED),
      `${path}.payloadHeader`,
    ),
    forward: reader.boolean("forward"),
  };
  reader.end();
  return rule;
}

/** Without an audience or an algorithm a rule would take what was never meant for it. */
function some<T>(list: readonly T[], path: string): readonly T[] {
  if (list.length > 0) return list;
  throw new Error(`Cannot read ${path}: it is empty, want at least one entry`);
}

function readAlgorithm(item: unknown, path: string): AlgorithmName {
  const found = ALGORITHM_NAMES.find((name) => name === item);
  if (found !== undefined) return found;
  throw new Error(
    `Cannot read ${path}: it is ${JSON.stringify(item)}, want one of ${ALGORITHM_NAMES.join(", ")}`,
  );
}

function readKeys(reader: ConfigReader, path: string): readonly PublicJwk[] {
  const keys = reader.list("keys", (item, path) => {
    const key = readKey(item);
    if (typeof key === "string") throw new Error(`Cannot read ${path}: it ${key}`);
    return key;
  });
  if (keys.length <= JWT_LIMITS.keys) return keys;
  throw new Error(
    `Cannot read ${path}.keys: it has ${keys.length}, want at most ${JWT_LIMITS.keys}`,
  );
}

function readHeader(item: unknown, path: string): { name: string; prefix: string } {
  const reader = new ConfigReader(path, item);
  const header = {
    name: reader.text("name", NAME, NAME_WANTED),
    prefix: reader.text("prefix", /^/, "a string"),
  };
  reader.end();
  return header;
}

/** A header made of claims: none that frames the message, names a port to our own proxies, or is the Host. */
export function outputName(name: string, path: string): string {
  if (name === "host" || name === "authorization" || name.startsWith("x-denim-")) {
    throw new Error(`Cannot read ${path}: it is "${name}", want a field that has no other meaning`);
  }
  return freeFieldName(name, path);
}
