/** `denim.filter.yaml`: what a publisher says about a filter. What it does is found out, not believed. */
import { parse } from "yaml";
import { z } from "zod";
import { CAPABILITIES, type Capability } from "../../wasm/capabilities.ts";
import { filterPermissions } from "../schema/filter_permissions.ts";
import { MARKET_LIMITS } from "./limits.ts";
import { MarketError } from "./types.ts";

const NAME = /^[a-z0-9](?:[-a-z0-9]{0,62})\/[a-z0-9](?:[-a-z0-9._]{0,126})$/;
const VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,64})?$/;
const LINE = /^[^\p{Cc}]*$/u;

function wanted(what: string): { error: string } {
  return { error: `wanted ${what}` };
}

const line = (max: number, what: string) =>
  z.string(wanted(what)).max(max, wanted(`at most ${max} characters`)).regex(
    LINE,
    wanted("one line without control characters"),
  );

const capabilityList = z.array(
  z.enum(
    Object.keys(CAPABILITIES) as [Capability, ...Capability[]],
    wanted(`one of ${Object.keys(CAPABILITIES).join(", ")}`),
  ),
).default([]);

export const manifestSchema = z.strictObject({
  apiVersion: z.literal("denim.dev/v1", wanted('"denim.dev/v1"')),
  name: z.string(wanted('"publisher/name"')).regex(NAME, wanted('"publisher/name"')),
  version: z.string(wanted('a version in quotes, such as "1.0.0"')).regex(
    VERSION,
    wanted('a version such as "1.0.0"'),
  ),
  title: line(80, "a title").min(1, wanted("a title")),
  summary: line(160, "one sentence").min(1, wanted("one sentence")),
  description: z.string(wanted("text")).max(8000, wanted("at most 8000 characters")).default(""),
  license: line(64, "an SPDX name").default(""),
  categories: z.array(
    z.enum(
      ["auth", "security", "traffic", "transform", "observability", "ai", "example", "custom"],
      wanted(
        "one of auth, security, traffic, transform, observability, ai, example, custom",
      ),
    ),
  ).max(8).default([]),
  links: z.partialRecord(
    z.enum(["source", "docs", "issues"], wanted("one of source, docs, issues")),
    z.url({ protocol: /^https?$/, error: "wanted an http or https URL" }),
  ).default({}),
  /** The file to build, relative to the manifest; its ending names the language. */
  source: line(256, "a file name").optional(),
  language: line(32, "a language").regex(/^[a-z+#]*$/, wanted("a lower-case word")).optional(),
  phase: z.enum(
    ["AUTHN", "AUTHZ", "TRANSFORM", "STATS"],
    wanted("one of AUTHN, AUTHZ, TRANSFORM, STATS"),
  ).default("TRANSFORM"),
  /** What the filter is configured with where a binding says nothing. */
  config: z.json().optional(),
  /**
   * What it asks for. Left out: all it imports. It must start with what is `required` alone, and no binding
   * can leave that out; without what is `optional` it works, perhaps less well.
   */
  capabilities: z.strictObject({ required: capabilityList, optional: capabilityList }).optional(),
  /** Names it asks for; left out: all but credentials. */
  permissions: filterPermissions.optional(),
  limits: z.strictObject({
    fuelPerCall: z.int(wanted("a whole number")).min(1000, wanted("at least 1000")).max(
      1_000_000_000,
      wanted("at most 1000000000"),
    ).default(10_000_000),
    memoryMiB: z.int(wanted("a whole number")).min(1, wanted("at least 1")).max(
      256,
      wanted("at most 256"),
    ).default(16),
  }).prefault({}),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** Reads the text; throws {@link MarketError} whose details name each field that is wrong. */
export function readManifest(text: string): Manifest {
  if (new TextEncoder().encode(text).length > MARKET_LIMITS.manifestBytes) {
    throw bad("", `is larger than ${MARKET_LIMITS.manifestBytes} bytes`);
  }
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw bad("", `is not YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const details = result.error.issues.map((issue) => ({
    path: ["manifest", ...issue.path].join("."),
    message: explain(issue),
  }));
  const first = details[0]!;
  throw new MarketError(
    "market.bad_manifest",
    400,
    `denim.filter.yaml: ${first.path.slice("manifest.".length)} ${first.message}`,
    details,
  );
}

/** The configuration a filter gets: JSON text, a string as it is, "" for none. */
export function configText(manifest: Manifest): string {
  const { config } = manifest;
  if (config === undefined) return "";
  return typeof config === "string" ? config : JSON.stringify(config);
}

function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(manifestSchema.shape);
    return `has unknown fields ${issue.keys.map((key) => `"${key}"`).join(", ")}; ` +
      `known are ${known.join(", ")}`;
  }
  return `is not right: ${issue.message}`;
}

function bad(path: string, message: string): MarketError {
  const at = path === "" ? "manifest" : `manifest.${path}`;
  return new MarketError("market.bad_manifest", 400, `denim.filter.yaml ${message}`, [
    { path: at, message },
  ]);
}
