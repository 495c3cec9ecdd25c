/** From YAML text or plain values to checked resources, with every error at its path. */
import { DROPPED_METADATA, show } from "./common.ts";
import { findKind, type KindRow, KINDS, type Resource, resourceId } from "./kinds.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import { check, nearest, pathText } from "./problems.ts";
import { seal } from "./secret.ts";
import { plainProblem, type RawDocument, readYaml } from "./yaml.ts";

export interface DocumentError {
  /** Counted from 0, as in the input. */
  readonly document: number;
  /** `HTTPRoute default/web` as far as it could be read, "" otherwise. */
  readonly resource: string;
  readonly path: string;
  readonly message: string;
}

export interface ParseResult {
  readonly resources: Resource[];
  /** Not empty: nothing of the input may be applied. */
  readonly errors: DocumentError[];
  /** Private keys of the Secrets, PEM by name; they are nowhere else. */
  readonly keys: ReadonlyMap<string, string>;
}

/**
 * Parses documents strictly. A `List` is read as its items. `status` and metadata that belongs to
 * a store are dropped, so that what was read out can be applied again. Never throws.
 */
export function parseDocuments(input: string | readonly unknown[]): ParseResult {
  const raw = typeof input === "string" ? readYaml(input) : {
    documents: input.map((value, document): RawDocument => ({ document, value })),
    errors: [],
  };
  const errors: DocumentError[] = raw.errors.map((error) => ({ ...error, resource: "" }));
  const resources: Resource[] = [];
  const keys = new Map<string, string>();
  if (raw.documents.length > LIMITS.documents) {
    const message = `is one of over ${LIMITS.documents} documents`;
    const error = { document: LIMITS.documents, resource: "", path: "", message };
    return { resources, errors: [error], keys };
  }
  const seen = new Set<string>();
  for (const { document, value } of raw.documents) {
    const plain = plainProblem(value) ?? largeProblem(value);
    if (plain !== null) {
      errors.push({ document, resource: "", path: pathText(plain.path), message: plain.message });
      continue;
    }
    for (const [prefix, item] of items(value)) {
      const report: Report = (path, message, resource) => {
        errors.push({ document, resource, path: join(prefix, path), message });
      };
      const resource = parseOne(item, report, keys);
      if (resource === null) continue;
      const id = resourceId(resource);
      if (seen.has(id)) report("metadata.name", "is given twice in one input; keep one", id);
      else resources.push(resource);
      seen.add(id);
    }
  }
  return { resources, errors: errors.slice(0, LIMITS.errors), keys };
}

function largeProblem(value: unknown): { path: []; message: string } | null {
  if (JSON.stringify(value).length <= LIMITS.documentBytes) return null;
  return { path: [], message: `is larger than ${LIMITS.documentBytes} bytes` };
}

type Report = (path: string, message: string, resource: string) => void;

function parseOne(value: unknown, report: Report, keys: Map<string, string>): Resource | null {
  if (!isMap(value)) {
    report("", `is ${show(value)}, wanted a map with apiVersion and kind`, "");
    return null;
  }
  const row = rowOf(value, report);
  if (row === null) return null;
  let document = cleaned(value, row);
  if (row.kind === "Secret") {
    const sealed = seal(document);
    if ("message" in sealed) {
      report(sealed.path, sealed.message, describe(value, row));
      return null;
    }
    document = sealed.value;
    if (sealed.key !== null) keys.set(sealed.key.name, sealed.key.pem);
  }
  const result = check(row.schema, document);
  if (result.ok) return result.value;
  const resource = describe(value, row);
  for (const { path, message } of result.problems) report(path, message, resource);
  return null;
}

function rowOf(value: Record<string, unknown>, report: Report): KindRow | null {
  const { kind, apiVersion } = value;
  const kinds = KINDS.map((row) => row.kind);
  const row = typeof kind === "string" ? KINDS.find((one) => one.kind === kind) : undefined;
  if (row === undefined) {
    const near = typeof kind === "string" ? findKind(kind)?.kind ?? nearest(kind, kinds) : null;
    report(
      "kind",
      `is ${show(kind)}, wanted one of ${kinds.join(", ")}` +
        (near === null ? "" : `; did you mean ${show(near)}?`),
      "",
    );
    return null;
  }
  if (apiVersion === row.apiVersion || row.formerVersions.includes(String(apiVersion))) return row;
  report(
    "apiVersion",
    `is ${show(apiVersion)}, wanted ${show(row.apiVersion)} for kind ${row.kind}` +
      (apiVersion === "v1" && row.kind === "Service"
        ? "; a mesh has no use for the Kubernetes Service object, see its own kind Service"
        : ""),
    describe(value, row),
  );
  return null;
}

/** Without what a store adds, in the version of the row; the given value is left as it is. */
function cleaned(value: Record<string, unknown>, row: KindRow): Record<string, unknown> {
  const { status: _status, ...rest } = value;
  if (isMap(rest.metadata)) {
    rest.metadata = Object.fromEntries(
      Object.entries(rest.metadata).filter(([key]) => !DROPPED_METADATA.includes(key)),
    );
  }
  return { ...rest, apiVersion: row.apiVersion };
}

function* items(value: unknown): Iterable<[string, unknown]> {
  if (isMap(value) && value.kind === "List" && Array.isArray(value.items)) {
    for (let i = 0; i < value.items.length; i++) yield [`items[${i}]`, value.items[i]];
  } else yield ["", value];
}

function describe(value: Record<string, unknown>, row: KindRow): string {
  if (!isMap(value.metadata) || typeof value.metadata.name !== "string") return row.kind;
  const { namespace, name } = value.metadata;
  const space = row.scope === "mesh" ? "denim-system" : "default";
  return `${row.kind} ${typeof namespace === "string" ? namespace : space}/${name}`;
}

function join(prefix: string, path: string): string {
  return prefix === "" || path === "" ? prefix + path : `${prefix}.${path}`;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
