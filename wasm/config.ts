/** The wire configuration of a Wasm filter, checked by hand: this layer loads no schema library. */
import {
  type GivenPermissions,
  PERMISSION_PATTERN,
  type Permissions,
  permissionsOf,
} from "./permissions.ts";
import {
  FILTER_LIMITS,
  type FilterLimits,
  filterLimits,
  LIMIT_NAMES,
  WASM_LIMITS,
} from "./limits.ts";

export interface WasmFilterConfig {
  readonly abi: "proxy-wasm" | "component";
  readonly digest: string;
  readonly module: string;
  readonly version: string;
  /** JSON text, "" for none. */
  readonly config: string;
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
  /** All of them; `fuelPerCall` and `memoryBytes` above count, not the ones in here. */
  readonly limits: FilterLimits;
  readonly failMode: "open" | "closed";
  /** A filter for connections that are no HTTP; elsewhere it does nothing. */
  readonly network: boolean;
  /** Whose ways hold where hosts of Proxy-Wasm differ. */
  readonly compat: "envoy" | "higress";
  readonly capabilities: readonly string[];
  readonly permissions: Permissions;
  /** Whom the module may send requests of its own. */
  readonly upstreams: readonly UpstreamConfig[];
  /** Bindings of one namespace with the same one share data and find each other's queues; "" shares nothing. */
  readonly vmId: string;
  /** Name of the root context the module registers; only SDKs that hold several plugins need it. */
  readonly rootId?: string;
}

export interface UpstreamConfig {
  /** What a module may call it. */
  readonly names: readonly string[];
  readonly backend: string;
  /** Lines every request there gets, flat. */
  readonly fields: readonly string[];
}

/** Names it may touch. */
function permissions(spec: Readonly<Record<string, unknown>>): Permissions {
  const given = record(spec["permissions"] ?? {});
  const headers = record(given["headers"] ?? {});
  for (
    const [where, lists] of [["permissions.headers.", headers], ["permissions.", given]] as const
  ) {
    for (const [name, list] of Object.entries(lists)) {
      if (list === headers) continue;
      const right = Array.isArray(list) &&
        list.every((one) => typeof one === "string" && PERMISSION_PATTERN.test(one));
      if (!right) throw wrong(where + name, list, 'a list of names, each with at most one "*"');
    }
  }
  return permissionsOf(given as GivenPermissions);
}

/** Reads a FilterSpec's config; an Error names the first field that is wrong and what it wants. */
export function readConfig(value: unknown): WasmFilterConfig {
  const spec = record(value);
  const { abi, failMode, compat = "envoy" } = spec;
  if (abi !== "proxy-wasm" && abi !== "component") {
    throw wrong("abi", abi, '"proxy-wasm" or "component"');
  }
  if (failMode !== "open" && failMode !== "closed" && failMode !== undefined) {
    throw wrong("failMode", failMode, '"open" or "closed"');
  }
  if (compat !== "envoy" && compat !== "higress") {
    throw wrong("compat", compat, '"envoy" or "higress"');
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
    limits: limits(spec),
    failMode: failMode ?? "closed",
    compat,
    network: spec["network"] === true,
    capabilities: texts(spec, "capabilities"),
    permissions: permissions(spec),
    upstreams: upstreams(spec),
    vmId: text(spec, "vmId", ""),
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

function upstreams(spec: Readonly<Record<string, unknown>>): readonly UpstreamConfig[] {
  const value = spec["upstreams"] ?? [];
  if (!Array.isArray(value)) throw wrong("upstreams", value, "a list");
  return value.map((item: unknown) => {
    const one = record(item);
    return {
      names: texts(one, "names"),
      backend: text(one, "backend"),
      fields: texts(one, "fields"),
    };
  });
}

/** Names this proxy does not know are of a newer control plane, and left out. */
function limits(spec: Readonly<Record<string, unknown>>): FilterLimits {
  const given = record(spec["limits"] ?? {});
  for (const name of LIMIT_NAMES) {
    const value = given[name];
    const { min, max } = FILTER_LIMITS[name];
    if (value === undefined) continue;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
      continue;
    }
    throw wrong(`limits.${name}`, value, `a whole number from ${min} to ${max}`);
  }
  const fuelPerCall = spec["fuelPerCall"];
  return filterLimits(typeof fuelPerCall === "number" ? { ...given, fuelPerCall } : given);
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
