/** The wire configuration of a Wasm filter, checked by hand: this layer loads no schema library. */
import { WASM_LIMITS } from "./limits.ts";

export interface WasmFilterConfig {
  readonly abi: "proxy-wasm" | "component";
  readonly digest: string;
  readonly module: string;
  readonly version: string;
  /** JSON text, "" for none. */
  readonly config: string;
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
  readonly failMode: "open" | "closed";
  readonly capabilities: readonly string[];
  /** Name of the root context the module registers; only SDKs that hold several plugins need it. */
  readonly rootId?: string;
}

/** Reads a FilterSpec's config; an Error names the first field that is wrong and what it wants. */
export function readConfig(value: unknown): WasmFilterConfig {
  const spec = record(value);
  const { abi, failMode } = spec;
  if (abi !== "proxy-wasm" && abi !== "component") {
    throw wrong("abi", abi, '"proxy-wasm" or "component"');
  }
  if (failMode !== "open" && failMode !== "closed" && failMode !== undefined) {
    throw wrong("failMode", failMode, '"open" or "closed"');
  }
  const digest = text(spec, "digest");
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
    throw wrong("digest", digest, "sha256:<64 hex digits>");
  }
  const { rootId } = spec;
  if (rootId !== undefined && typeof rootId !== "string") throw wrong("rootId", rootId, "a string");
  return {
    abi,
    digest,
    module: text(spec, "module", ""),
    version: text(spec, "version", ""),
    config: text(spec, "config", ""),
    fuelPerCall: positive(spec, "fuelPerCall", WASM_LIMITS.fuelPerCall),
    memoryBytes: positive(spec, "memoryBytes", WASM_LIMITS.memoryBytes),
    failMode: failMode ?? "closed",
    capabilities: texts(spec, "capabilities"),
    ...(rootId === undefined ? {} : { rootId }),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new Error(`the configuration of a wasm filter is ${shown(value)}, want an object`);
}

function text(spec: Readonly<Record<string, unknown>>, field: string, absent?: string): string {
  const value = spec[field] ?? absent;
  if (typeof value !== "string") throw wrong(field, value, "a string");
  return value;
}

function texts(spec: Readonly<Record<string, unknown>>, field: string): readonly string[] {
  const value = spec[field] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw wrong(field, value, "a list of strings");
  }
  return value;
}

function positive(
  spec: Readonly<Record<string, unknown>>,
  field: string,
  absent: number,
): number {
  const value = spec[field] ?? absent;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value <= 0) {
    throw wrong(field, value, "a whole number above 0");
  }
  return value;
}

function wrong(field: string, value: unknown, wanted: string): Error {
  return new Error(`"${field}" is ${shown(value)}, want ${wanted}`);
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 100);
}
