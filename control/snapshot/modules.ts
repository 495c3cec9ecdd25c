/** Which admitted module a FilterBinding means, and which of two versions is newer. */
import type { ConfigSchema } from "../../wasm/config_schema.ts";
import { compare } from "./mesh.ts";

/** A module the marketplace admitted (or, standalone, a file that was read). */
export interface AdmittedModule {
  /** `publisher/name`; `file:<path>` for a file of a standalone configuration. */
  readonly name: string;
  readonly version: string;
  /** `sha256:<hex>` of the admitted artefact. */
  readonly digest: string;
  readonly bytes: number;
  readonly abi: "proxy-wasm" | "component";
  /** Phase, limits and configuration of the listing, where a binding says nothing. */
  readonly phase?: "AUTHN" | "AUTHZ" | "TRANSFORM" | "STATS";
  readonly fuelPerCall?: number;
  readonly memoryBytes?: number;
  readonly config?: string;
  /** What it was seen to use. */
  readonly capabilities?: readonly string[];
  /** Those it cannot work without. */
  readonly required?: readonly string[];
  /** What its configuration may be. */
  readonly configSchema?: ConfigSchema;
}

/** `FilterBinding.spec.module`. */
export interface ModuleQuery {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly digest?: string | undefined;
  readonly file?: string | undefined;
}

/** By digest, or the newest of a name, or exactly the version asked for; null for none. */
export function findModule<
  M extends { readonly name: string; readonly version: string; readonly digest: string },
>(
  known: readonly M[],
  ref: ModuleQuery,
): M | null {
  const { name = ref.file === undefined ? undefined : `file:${ref.file}`, version, digest } = ref;
  if (digest !== undefined) return known.find((one) => one.digest === digest) ?? null;
  let best: M | null = null;
  for (const one of known) {
    if (one.name !== name || (version !== undefined && one.version !== version)) continue;
    if (best === null || compareVersions(one.version, best.version) > 0) best = one;
  }
  return best;
}

/** Semantic Versioning 2.0.0 precedence (section 11). */
export function compareVersions(a: string, b: string): number {
  const [coreA, preA] = split(a), [coreB, preB] = split(b);
  const core = compareParts(coreA, coreB);
  if (core !== 0) return core;
  if (preA === null || preB === null) return Number(preB !== null) - Number(preA !== null);
  return compareParts(preA, preB);
}

function split(version: string): [core: string[], pre: string[] | null] {
  const plain = version.split("+")[0]!;
  const dash = plain.indexOf("-");
  if (dash < 0) return [plain.split("."), null];
  return [plain.slice(0, dash).split("."), plain.slice(dash + 1).split(".")];
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const left = a[i], right = b[i];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const numeric = /^\d+$/.test(left), numericToo = /^\d+$/.test(right);
    if (numeric !== numericToo) return numeric ? -1 : 1; // numbers stand before words
    const order = numeric ? Number(left) - Number(right) : compare(left, right);
    if (order !== 0) return order;
  }
  return 0;
}
