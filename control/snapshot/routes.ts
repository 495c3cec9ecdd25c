/** Rules of routes as a proxy runs them: matches, chain and weighted backends. */
import { PORT_FIELD } from "../../core/message.ts";
import { fullName } from "../schema/common.ts";
import type { AuthorizationPolicy } from "../schema/authorization_policy.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import type { TypedFilterSpec } from "../schema/filter_config.ts";
import type { GrpcRouteMatch } from "../schema/grpc_route.ts";
import type { BackendRef, HttpRouteMatch, HttpRouteRule } from "../schema/http_route.ts";
import { isTunnelled, type Service, wireProtocol } from "../schema/service.ts";
import type { MatchSpec, RouteSpec, ValueMatchSpec, WeightedBackend } from "../schema/snapshot.ts";
import { authzLinks } from "./authorization.ts";
import { attemptSpecs, chainOf, type FilterLink, timeoutSpec } from "./filters.ts";
import { canonicalJson } from "./hash.ts";
import {
  type AnyRoute,
  backendPort,
  carries,
  isTunnelRoute,
  portField,
  portOf,
  type RequestRoute,
  type TunnelRoute,
} from "./mesh.ts";
import { type Level, meshLevel, ruleLevel, serviceLevels, targetLevels } from "./settings.ts";
import type { Work } from "./work.ts";

/** Where a route runs. */
export interface RouteParent {
  /** Bindings of the Gateway; a Service's bindings run at its own sidecars. */
  readonly bindings: readonly FilterBinding[];
  /** What judges requests before the route's own filters. */
  readonly guards: readonly FilterLink[];
  readonly levels: readonly Level[];
  /** False for a consumer's own override; other routes lead others' requests to a namespace that has to agree. */
  readonly needsGrant: boolean;
  /** Of a Gateway's listener, where policies are enforced; absent: in a caller's own sidecar they are not. */
  readonly authz?: { readonly port: number; readonly policies: readonly AuthorizationPolicy[] };
}

/** One RouteSpec for each rule, in the order of the rules. */
export function routeSpecs(work: Work, route: RequestRoute, of: RouteParent): RouteSpec[] {
  const rules = rulesOf(route);
  if (rules.length === 0) return []; // nor are its policies needed
  const parent = guarded(work, route, of);
  return rules.map(([rule, matches], at) => {
    const name = `${fullName(route)}/${at}`;
    return { name, matches, ...actionOf(work, route, rule, name, parent) };
  });
}

/** Each rule with what it matches; but for that, those of a GRPCRoute are those of HTTP. */
function rulesOf(route: RequestRoute): [rule: HttpRouteRule, matches: MatchSpec[]][] {
  if (route.kind === "HTTPRoute") {
    return (route.spec.rules ?? [{}]).map((rule) => [rule, (rule.matches ?? []).map(matchSpec)]);
  }
  // A GRPCRoute without rules has none.
  return (route.spec.rules ?? []).map(({ matches = [], ...rule }) => [
    rule,
    (matches.length === 0 ? [{}] : matches).map(grpcMatchSpec),
  ]);
}

/** What a Service does without a route: everything goes to it. */
export function implicitRoute(work: Work, service: Service, port: number): RouteSpec {
  const levels = [...serviceLevels(work.mesh, service), meshLevel(work.mesh)];
  const grpc = takesGrpc(service, port);
  const timeout = timeoutSpec(levels, grpc);
  return {
    name: fullName(service),
    matches: [],
    ...(isTunnelled(portOf(service, port)) ? { tunnel: true } : {}),
    filters: timeout === null ? [] : [timeout],
    backends: [{
      backend: work.backend(service, port),
      weight: 1,
      filters: [...portSpecs(service, port), ...attemptSpecs(levels, grpc)],
    }],
  };
}

/** A route of connections that are carried as they are: its one rule, which takes them all. */
export function tunnelSpec(work: Work, route: TunnelRoute, parent: RouteParent): RouteSpec {
  const rule: HttpRouteRule = { backendRefs: route.spec.rules[0]!.backendRefs };
  const name = fullName(route);
  const action = actionOf(work, route, rule, name, guarded(work, route, parent));
  return { name, matches: [], ...action, tunnel: true };
}

/** What a rule does with the requests it is for. */
function actionOf(
  work: Work,
  route: AnyRoute,
  rule: HttpRouteRule,
  name: string,
  parent: RouteParent,
): Pick<RouteSpec, "filters" | "backends"> {
  const { kind, metadata: { namespace } } = route;
  const target = isTunnelRoute(route) ? null : route.kind;
  const bound = target === null ? [] : work.mesh.bindingsOf(target, fullName(route));
  const own = target === null ? [] : targetLevels(work.mesh, target, fullName(route));
  const prefix = prefixOf(rule);
  const filters = rule.filters ?? [];
  const bindings = [...parent.bindings, ...bound];
  const { guards } = parent;
  const chain = chainOf(work, { name, namespace, filters, bindings, prefix, guards });
  if (chain.missing !== null) {
    return { filters: [], backends: [nowhere(`missing-filter:${chain.missing}`)] };
  }
  if (filters.some((filter) => filter.type === "RequestRedirect")) {
    return { filters: chain.filters, backends: [] };
  }
  const upper = [ruleLevel(name, rule), ...own];
  const lower = [...parent.levels, meshLevel(work.mesh)];
  const choices = (rule.backendRefs ?? []).map((ref, at) =>
    choiceOf(work, ref, {
      name: `${name}/backendRefs/${at}`,
      route: kind,
      namespace,
      prefix,
      parent,
      upper,
      lower,
    })
  ).filter((one) => one.weight > 0);
  if (choices.length === 0) {
    return { filters: chain.filters, backends: [nowhere("no-backend")] };
  }
  return withTimeouts(chain.filters, choices);
}

/** Whose token it is, and then the policies of the Gateway and of the route, which decide together. */
function guarded(work: Work, route: AnyRoute, parent: RouteParent): RouteParent {
  const { guards, authz } = parent;
  if (authz === undefined) return parent;
  const l4 = isTunnelRoute(route);
  const own = l4 ? [] : work.mesh.authorizations(route.kind, fullName(route));
  const policies = [...new Set([...authz.policies, ...own])];
  const links = authzLinks(work, policies, { ports: [authz.port], l4 });
  return { ...parent, guards: [...guards, ...links] };
}

interface Choice extends WeightedBackend {
  readonly timeout: TypedFilterSpec | null;
}

function choiceOf(work: Work, ref: BackendRef, at: {
  readonly name: string;
  readonly route: AnyRoute["kind"];
  readonly namespace: string;
  readonly prefix: string;
  readonly parent: RouteParent;
  readonly upper: readonly Level[];
  readonly lower: readonly Level[];
}): Choice {
  const namespace = ref.namespace ?? at.namespace;
  const weight = ref.weight ?? 1;
  const service = work.mesh.services.get(`${namespace}/${ref.name}`);
  const port = service === undefined ? null : backendPort(service, ref.port);
  const own = service === undefined ? [] : serviceLevels(work.mesh, service);
  const levels = [...at.upper, ...own, ...at.lower];
  const grpc = service !== undefined && port !== null && takesGrpc(service, port);
  const timeout = timeoutSpec(levels, grpc);
  const named = `${namespace}/${ref.name}${ref.port === undefined ? "" : `:${ref.port}`}`;
  if (service === undefined || port === null) return { ...nowhere(named), weight, timeout };
  if (!carries(at.route, portOf(service, port))) {
    return { ...nowhere(`other-protocol:${named}`), weight, timeout };
  }
  if (
    at.parent.needsGrant &&
    !work.mesh.granted(at.route, at.namespace, "Service", namespace, ref.name)
  ) {
    return { ...nowhere(`not-granted:${named}`), weight, timeout };
  }
  const chain = chainOf(work, {
    name: at.name,
    namespace: at.namespace,
    filters: ref.filters ?? [],
    bindings: [],
    prefix: at.prefix,
  });
  if (chain.missing !== null) {
    return { ...nowhere(`missing-filter:${chain.missing}`), weight, timeout };
  }
  return {
    backend: work.backend(service, port),
    weight,
    filters: [...chain.filters, ...portSpecs(service, port), ...attemptSpecs(levels, grpc)],
    timeout,
  };
}

/** Whether gRPC can come through to a port: it takes HTTP/2. */
function takesGrpc(service: Service, port: number): boolean {
  return wireProtocol(portOf(service, port)) === "h2";
}

/** Tells a sidecar which of its workload's ports is meant, where that is not the main one for HTTP. */
function portSpecs(service: Service, port: number): TypedFilterSpec[] {
  const value = portField(service, portOf(service, port));
  if (value === null) return [];
  const set = [{ name: PORT_FIELD, value }];
  return [{ kind: "request-headers", name: `${value}:port`, config: { set, add: [], remove: [] } }];
}

/** One timeout in front of everything where all backends agree; else each backend brings its own. */
function withTimeouts(
  filters: readonly FilterLink[],
  choices: readonly Choice[],
): Pick<RouteSpec, "filters" | "backends"> {
  const first = choices[0]!.timeout;
  const agreed = choices.every((one) => canonicalJson(one.timeout) === canonicalJson(first));
  return {
    filters: agreed && first !== null ? [first, ...filters] : filters,
    backends: choices.map(({ timeout, backend, weight, filters: own }) => ({
      backend,
      weight,
      filters: agreed || timeout === null ? own : [timeout, ...own],
    })),
  };
}

/** A backend that is in no snapshot: its share of the requests is answered with 500. */
function nowhere(name: string): WeightedBackend {
  return { backend: name, weight: 1, filters: [] };
}

function matchSpec(match: HttpRouteMatch): MatchSpec {
  const { path, method, headers, queryParams } = match;
  return {
    ...(path === undefined
      ? {}
      : { path: { type: path.type ?? "PathPrefix", value: path.value ?? "/" } }),
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers: headers.map(valueSpec) }),
    ...(queryParams === undefined ? {} : { query: queryParams.map(valueSpec) }),
  };
}

function grpcMatchSpec({ method, headers }: GrpcRouteMatch): MatchSpec {
  const { type = "Exact", service = "", method: name = "" } = method ?? {};
  return {
    grpc: {
      type,
      ...(service === "" ? {} : { service }),
      ...(name === "" ? {} : { method: name }),
    },
    ...(headers === undefined ? {} : { headers: headers.map(valueSpec) }),
  };
}

function valueSpec(
  match: { type?: ValueMatchSpec["type"] | undefined; name: string; value: string },
): ValueMatchSpec {
  return { name: match.name, type: match.type ?? "Exact", value: match.value };
}

/** Validation made sure that a rule with ReplacePrefixMatch has one match, of type PathPrefix. */
function prefixOf(rule: HttpRouteRule): string {
  const value = rule.matches?.[0]?.path?.value ?? "/";
  return value.endsWith("/") ? value.slice(0, -1) : value;
}
