/**
 * The filter chain of a rule, outermost first:
 *
 *   timeout              covers everything after it, also a filter that waits for an answer of its own
 *   jwt                  who the end user is: filters after it may ask
 *   authz                refuses before anybody's filter runs, and before anything is changed
 *   wasm AUTHN, AUTHZ    before anything is changed: they judge what the client sent
 *   redirect             answers here; nothing further runs
 *   request-headers, rewrite, response-headers    what the route says
 *   wasm TRANSFORM, STATS    see what goes upstream, and the response before the route changes it
 *   then per backend: the backendRef's own headers, rewrite and Wasm, and last
 *   breaker              before retry, so that every outcome is counted, also one that is tried again
 *   retry
 *   timeout              of one attempt: its clock starts when retry's back-off is over
 *
 * Within a phase: higher priority first, then the older binding, then by name.
 */
import type { HeadersConfig } from "../../filters/headers/config.ts";
import type { PathConfig } from "../../filters/path.ts";
import type { RedirectConfig } from "../../filters/redirect/config.ts";
import type { RewriteConfig } from "../../filters/rewrite/config.ts";
import { fullName } from "../schema/common.ts";
import { FILTER_DEFAULTS } from "../schema/defaults.ts";
import type { TypedFilterSpec, WasmConfig, WasmPhase } from "../schema/filter_config.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import type { HeaderModifier, PathModifier, RouteFilter } from "../schema/http_route_filters.ts";
import { older } from "./mesh.ts";
import { effectiveLimits } from "./filter_limits.ts";
import { filterUpstreams } from "./filter_upstreams.ts";
import { breakerOf, type Level, retryOf, sourceOf, timeoutOf } from "./settings.ts";
import type { AdmittedModule } from "./modules.ts";
import type { Work } from "./work.ts";

/** A link of a chain; policies of many routes are in the snapshot once, and named here. */
export type FilterLink = TypedFilterSpec | {
  readonly kind: "authz" | "jwt";
  readonly name: string;
  readonly shared: string;
};

/** What one list of filters (a rule's or a backendRef's) comes to. */
export interface Chain {
  readonly filters: readonly FilterLink[];
  /** A binding that fails closed and whose module is not there: the route must not answer without it. */
  readonly missing: string | null;
}

/** `prefix`: of the rule's only match, for ReplacePrefixMatch. */
export interface ChainInput {
  readonly name: string;
  /** The route's; an ExtensionRef names a binding beside it. */
  readonly namespace: string;
  readonly filters: readonly RouteFilter[];
  readonly bindings: readonly FilterBinding[];
  /** Policies that judge requests before all else in this list, outermost first. */
  readonly guards?: readonly FilterLink[];
  readonly prefix: string;
}

/** Everything but timeout, breaker and retry. */
export function chainOf(work: Work, input: ChainInput): Chain {
  const named = extensions(work, input);
  const bound = wasmByPhase(work, [...input.bindings, ...named.bindings]);
  const routed = input.filters.flatMap((filter, at) =>
    routeFilter(filter, `${input.name}/filters/${at}`, input.prefix)
  );
  const of = (kind: TypedFilterSpec["kind"]) => routed.filter((one) => one.kind === kind);
  return {
    filters: [
      ...input.guards ?? [],
      ...bound.specs.AUTHN,
      ...bound.specs.AUTHZ,
      ...of("redirect"),
      ...of("request-headers"),
      ...of("rewrite"),
      ...of("response-headers"),
      ...bound.specs.TRANSFORM,
      ...bound.specs.STATS,
    ],
    missing: named.missing ?? bound.missing,
  };
}

/** The limit of the whole exchange; null when it is off. `grpc`: calls may bring one of their own. */
export function timeoutSpec(levels: readonly Level[], grpc: boolean): TypedFilterSpec | null {
  const config = timeoutOf(levels);
  if (config.requestMs === 0 && !grpc) return null;
  return {
    ...timeoutNamed(levels),
    config: { ...config, backendRequestMs: 0, ...(grpc ? { grpc } : {}) },
  };
}

/** Breaker, retry and the limit of one attempt, which end every chain to a backend. */
export function attemptSpecs(levels: readonly Level[], grpc: boolean): TypedFilterSpec[] {
  const specs: TypedFilterSpec[] = [];
  const breaker = breakerOf(levels);
  if (breaker !== null) {
    const name = `${sourceOf(levels, "circuitBreaker")}:breaker`;
    specs.push({ kind: "breaker", name, config: breaker });
  }
  // Also with 0 attempts: it hides connections that the upstream closed while they were idle.
  const config = retryOf(levels);
  specs.push({ kind: "retry", name: `${sourceOf(levels, "retry")}:retry`, config });
  const { backendRequestMs } = timeoutOf(levels);
  if (backendRequestMs > 0) {
    const config = { requestMs: 0, backendRequestMs, ...(grpc ? { grpc } : {}) };
    specs.push({ ...timeoutNamed(levels), config });
  }
  return specs;
}

function timeoutNamed(levels: readonly Level[]): { kind: "timeout"; name: string } {
  return { kind: "timeout", name: `${sourceOf(levels, "timeouts")}:timeout` };
}

function routeFilter(filter: RouteFilter, name: string, prefix: string): TypedFilterSpec[] {
  switch (filter.type) {
    case "RequestHeaderModifier":
      return [{ kind: "request-headers", name, config: headers(filter.requestHeaderModifier) }];
    case "ResponseHeaderModifier":
      return [{ kind: "response-headers", name, config: headers(filter.responseHeaderModifier) }];
    case "RequestRedirect": {
      const { path, statusCode = 302, ...rest } = filter.requestRedirect;
      const config = { ...rest, statusCode, ...pathMember(path, prefix) } as RedirectConfig;
      return [{ kind: "redirect", name, config }];
    }
    case "URLRewrite": {
      const { path, ...rest } = filter.urlRewrite;
      return [{
        kind: "rewrite",
        name,
        config: { ...rest, ...pathMember(path, prefix) } as RewriteConfig,
      }];
    }
    case "ExtensionRef":
      return [];
  }
}

function headers(modifier: HeaderModifier): HeadersConfig {
  const lower = (one: { name: string; value: string }) => ({
    name: one.name.toLowerCase(),
    value: one.value,
  });
  return {
    set: (modifier.set ?? []).map(lower),
    add: (modifier.add ?? []).map(lower),
    remove: (modifier.remove ?? []).map((name) => name.toLowerCase()),
  };
}

function pathMember(path: PathModifier | undefined, prefix: string): { path?: PathConfig } {
  if (path === undefined) return {};
  if (path.type === "ReplaceFullPath") {
    return { path: { type: path.type, value: path.replaceFullPath } };
  }
  return { path: { type: path.type, value: path.replacePrefixMatch, prefix } };
}

/** Bindings a list names itself. */
function extensions(
  work: Work,
  input: ChainInput,
): { bindings: FilterBinding[]; missing: string | null } {
  const bindings: FilterBinding[] = [];
  let missing: string | null = null;
  for (const filter of input.filters) {
    if (filter.type !== "ExtensionRef") continue;
    const name = `${input.namespace}/${filter.extensionRef.name}`;
    const binding = work.mesh.bindings.get(name);
    if (binding === undefined) missing ??= name;
    else bindings.push(binding);
  }
  return { bindings, missing };
}

function wasmByPhase(
  work: Work,
  bindings: readonly FilterBinding[],
): { specs: Record<WasmPhase, TypedFilterSpec[]>; missing: string | null } {
  const specs: Record<WasmPhase, TypedFilterSpec[]> = {
    AUTHN: [],
    AUTHZ: [],
    TRANSFORM: [],
    STATS: [],
  };
  let missing: string | null = null;
  const sorted = [...new Set(bindings)].sort((a, b) => priority(b) - priority(a) || older(a, b));
  for (const binding of sorted) {
    const module = work.module(binding.spec.module);
    if (module === null) {
      // Leaving a filter out that must not be left out would open what it guards.
      if (binding.spec.failMode !== "open") missing ??= fullName(binding);
      continue;
    }
    work.needs(module);
    const config = wasmConfig(work, binding, module);
    specs[config.phases[0]!].push({ kind: "wasm", name: fullName(binding), config });
  }
  return { specs, missing };
}

function priority(binding: FilterBinding): number {
  return binding.spec.priority ?? FILTER_DEFAULTS.priority;
}

function wasmConfig(work: Work, binding: FilterBinding, module: AdmittedModule): WasmConfig {
  const { config, capabilities, permissions, limits, failMode, phase, vmId, compat, type } =
    binding.spec;
  const upstreams = filterUpstreams(work, binding);
  const effective = effectiveLimits(work.mesh, limits ?? {}, module);
  return {
    abi: module.abi,
    digest: module.digest,
    module: module.name,
    version: module.version,
    config: config === undefined
      ? module.config ?? ""
      : typeof config === "string"
      ? config
      : JSON.stringify(config),
    fuelPerCall: effective.fuelPerCall,
    memoryBytes: effective.memoryBytes,
    ...(Object.keys(effective.limits).length === 0 ? {} : { limits: effective.limits }),
    failMode: failMode ?? FILTER_DEFAULTS.failMode,
    capabilities: [...capabilities ?? []].sort(),
    ...(permissions === undefined ? {} : { permissions }),
    ...(upstreams.length === 0 ? {} : { upstreams }),
    ...(vmId === undefined ? {} : { vmId }),
    ...(compat === undefined ? {} : { compat }),
    ...(type === "NETWORK" ? { network: true as const } : {}),
    phases: [phase ?? module.phase ?? FILTER_DEFAULTS.phase],
  };
}
