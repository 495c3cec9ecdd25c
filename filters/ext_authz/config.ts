/** Configuration of `ext-authz`: whom to ask, what to tell, and what an answer may change. */
import { type AuthzConfig, type AuthzRule, readRule } from "../authz/config.ts";
import { ConfigReader, integerItem, textItem } from "../parse.ts";
import { NamePatterns } from "./names.ts";

export interface ExtAuthzConfig {
  /** How people call the provider. */
  readonly provider: string;
  /** It is asked about requests that one of these matches. */
  readonly policies: readonly AskingPolicy[];
  readonly place: Pick<AuthzConfig, "trustDomain" | "ports" | "l4">;
  /** Backend of the provider. */
  readonly backend: string;
  /** Lines every question has, flat: the port of a provider in the mesh, and fixed ones. */
  readonly fields: readonly string[];
  readonly timeoutMs: number;
  /** What happens where no answer can be had: the request passes, or gets `statusOnError`. */
  readonly failOpen: boolean;
  readonly statusOnError: number;
  /** Null: the body is not shown. */
  readonly body: BodyConfig | null;
  /** The workload or gateway the request came to. */
  readonly destination: { readonly principal: string; readonly service: string };
  /** Null: the provider speaks gRPC. */
  readonly http: HttpConfig | null;
}

/** An AuthorizationPolicy with the action CUSTOM. */
export interface AskingPolicy {
  readonly name: string;
  readonly rules: readonly AuthzRule[];
}

export interface BodyConfig {
  readonly maxBytes: number;
  /** A longer body is shown as far as it goes; otherwise it gets 413. */
  readonly allowPartial: boolean;
  /** gRPC: as bytes, not as a string. */
  readonly packAsBytes: boolean;
}

export interface HttpConfig {
  readonly pathPrefix: string;
  /** Fields of the request that are shown. */
  readonly include: NamePatterns;
  /** Fields of a 200 that the request gets. */
  readonly toUpstream: NamePatterns;
  /** Fields of a 200 that the response gets. */
  readonly toClientOnAllow: NamePatterns;
  /** Fields of a refusal that the client gets; null: all. */
  readonly toClientOnDeny: NamePatterns | null;
}

/** What one exchange may hold of a body for an authorizer. */
export const MAX_BODY_BYTES = 1024 * 1024;

const LONG_NAME = /^[^]{1,512}$/;
const TEXT = /^[\t\x20-\x7e\x80-\xff]{0,4096}$/;
const NAME = /^\*?[!#$%&'+.^_`|~0-9a-z-]{0,256}\*?$/;
const PREFIX = /^(\/[\x21-\x7e]{0,255})?$/;

export function parseExtAuthzConfig(config: unknown): ExtAuthzConfig {
  const reader = new ConfigReader("ext-authz", config);
  const destination = reader.object("destination");
  const place = reader.object("place");
  const parsed: ExtAuthzConfig = {
    provider: reader.text("provider", LONG_NAME, "a name"),
    policies: reader.list("policies", readPolicy),
    place: {
      trustDomain: place.text("trustDomain", TEXT, "a trust domain"),
      ports: place.list("ports", (item, path) => integerItem(item, path, 0, 65535)),
      l4: place.has("l4") && place.boolean("l4"),
    },
    backend: reader.text("backend", LONG_NAME, "the name of a backend"),
    fields: reader.list("fields", readLine).flat(),
    timeoutMs: reader.integer("timeoutMs", 1, 60_000),
    failOpen: reader.boolean("failOpen"),
    statusOnError: reader.integer("statusOnError", 400, 599),
    body: reader.has("body") ? readBody(reader.object("body")) : null,
    destination: {
      principal: destination.text("principal", TEXT, "an identity"),
      service: destination.text("service", TEXT, "a name"),
    },
    http: reader.has("http") ? readHttp(reader.object("http")) : null,
  };
  place.end();
  destination.end();
  reader.end();
  return parsed;
}

function readPolicy(item: unknown, path: string): AskingPolicy {
  const reader = new ConfigReader(path, item);
  const policy: AskingPolicy = {
    name: reader.text("name", LONG_NAME, "a name"),
    rules: reader.list("rules", readRule),
  };
  reader.end();
  return policy;
}

function readBody(reader: ConfigReader): BodyConfig {
  const body: BodyConfig = {
    maxBytes: reader.integer("maxBytes", 1, MAX_BODY_BYTES),
    allowPartial: reader.boolean("allowPartial"),
    packAsBytes: reader.boolean("packAsBytes"),
  };
  reader.end();
  return body;
}

function readHttp(reader: ConfigReader): HttpConfig {
  const http: HttpConfig = {
    pathPrefix: reader.text("pathPrefix", PREFIX, "a path, or nothing"),
    include: new NamePatterns(reader.list("include", readName)),
    toUpstream: new NamePatterns(reader.list("toUpstream", readName)),
    toClientOnAllow: new NamePatterns(reader.list("toClientOnAllow", readName)),
    toClientOnDeny: reader.has("toClientOnDeny")
      ? new NamePatterns(reader.list("toClientOnDeny", readName))
      : null,
  };
  reader.end();
  return http;
}

function readName(item: unknown, path: string): string {
  return textItem(item, path, NAME, "a field name in lower case, with * at its beginning or end");
}

function readLine(item: unknown, path: string): [string, string] {
  const reader = new ConfigReader(path, item);
  const line: [string, string] = [
    reader.text("name", NAME, "a field name in lower case"),
    reader.text("value", TEXT, "a field value"),
  ];
  reader.end();
  return line;
}
