/** All resources of a mesh, findable by what refers to them; built once per snapshot or check. */
import type { AuthorizationPolicy } from "../schema/authorization_policy.ts";
import { fullName } from "../schema/common.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import type { Gateway } from "../schema/gateway.ts";
import type { GrpcRoute } from "../schema/grpc_route.ts";
import type { HttpRoute } from "../schema/http_route.ts";
import type { ExtensionProvider } from "../schema/extension_providers.ts";
import { ofKind, type Resource } from "../schema/kinds.ts";
import type { GivenLimits } from "../schema/filter_limits.ts";
import type { MeshConfig } from "../schema/mesh_config.ts";
import type { ReferenceGrant } from "../schema/reference_grant.ts";
import type { ParentRef } from "../schema/route_refs.ts";
import type { Secret } from "../schema/secret.ts";
import { type Service, type ServicePort, wireProtocol } from "../schema/service.ts";
import type { ViaSpec } from "../schema/snapshot.ts";
import type { TrafficPolicy, TrafficSettings } from "../schema/traffic_policy.ts";
import type { TcpRoute, TlsRoute } from "../schema/tunnel_routes.ts";

export type TargetKind = "Service" | RequestRoute["kind"] | "Gateway";

/** A route of whatever kind. */
export type AnyRoute = RequestRoute | TunnelRoute;
/** A route for requests. */
export type RequestRoute = HttpRoute | GrpcRoute;
/** A route for connections that are carried as they are. */
export type TunnelRoute = TcpRoute | TlsRoute;

export class Mesh {
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, Service>;
  readonly gateways: ReadonlyMap<string, Gateway>;
  readonly bindings: ReadonlyMap<string, FilterBinding>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Oldest first, then by `namespace/name`. */
  readonly routes: readonly RequestRoute[];
  readonly grants: readonly ReferenceGrant[];
  readonly defaults: TrafficSettings;
  readonly via: ViaSpec | undefined;
  readonly keepsEscapedSlashes: boolean;
  readonly authorization: MeshConfig["spec"]["authorization"];
  /** The most a FilterBinding may ask for. */
  readonly maxFilterLimits: GivenLimits;
  /** Whom AuthorizationPolicies with the action CUSTOM may name. */
  readonly providers: readonly ExtensionProvider[];
  readonly #byWorkload = new Map<string, Service[]>();
  readonly #policies = new Map<string, TrafficPolicy[]>();
  readonly #authorizations = new Map<string, AuthorizationPolicy[]>();
  readonly #bound = new Map<string, FilterBinding[]>();
  readonly #attached = new Map<string, RequestRoute[]>();
  readonly #tunnels = new Map<string, TunnelRoute[]>();

  constructor(resources: readonly Resource[]) {
    this.services = byName(ofKind(resources, "Service"));
    for (const service of this.services.values()) {
      const { metadata: { namespace, name }, spec: { from = name, endpoints } } = service;
      if (endpoints === undefined) push(this.#byWorkload, `${namespace}/${from}`, service);
    }
    this.gateways = byName(ofKind(resources, "Gateway"));
    this.secrets = byName(ofKind(resources, "Secret"));
    const bindings = ofKind(resources, "FilterBinding").sort(older);
    this.bindings = byName(bindings);
    this.routes = [...ofKind(resources, "HTTPRoute"), ...ofKind(resources, "GRPCRoute")]
      .sort(older);
    for (const route of this.routes) attach(this.#attached, route);
    const tunnels = [...ofKind(resources, "TCPRoute"), ...ofKind(resources, "TLSRoute")];
    for (const route of tunnels.sort(older)) attach(this.#tunnels, route);
    this.grants = ofKind(resources, "ReferenceGrant");
    const config = ofKind(resources, "MeshConfig")[0]?.spec;
    this.defaults = config?.defaults ?? {};
    this.via = config?.via;
    this.authorization = config?.authorization;
    this.maxFilterLimits = config?.filters?.maxLimits ?? {};
    this.providers = config?.extensionProviders ?? [];
    this.keepsEscapedSlashes = config?.paths?.escapedSlashes === "keep";
    for (const policy of ofKind(resources, "TrafficPolicy").sort(older)) {
      for (const ref of policy.spec.targetRefs) push(this.#policies, target(policy, ref), policy);
    }
    for (const policy of ofKind(resources, "AuthorizationPolicy")) {
      const { targetRefs } = policy.spec;
      const targets = targetRefs?.map((ref) => target(policy, ref)) ??
        [`Namespace ${policy.metadata.namespace}`];
      for (const one of new Set(targets)) push(this.#authorizations, one, policy);
    }
    for (const binding of bindings) {
      for (const ref of binding.spec.targetRefs ?? []) {
        push(this.#bound, target(binding, ref), binding);
      }
    }
  }

  /** Services of the workloads that register under a name, whatever their selectors say. */
  servicesOf(workload: string): readonly Service[] {
    return this.#byWorkload.get(workload) ?? [];
  }

  /** Policies of one target. Where two set the same field, the older one holds. */
  policies(kind: TargetKind, name: string): readonly TrafficPolicy[] {
    return this.#policies.get(`${kind} ${name}`) ?? [];
  }

  /** Of one target, or of a namespace as a whole. All of them hold. */
  authorizations(kind: TargetKind | "Namespace", name: string): readonly AuthorizationPolicy[] {
    return this.#authorizations.get(`${kind} ${name}`) ?? [];
  }

  bindingsOf(kind: TargetKind, name: string): readonly FilterBinding[] {
    return this.#bound.get(`${kind} ${name}`) ?? [];
  }

  /** Routes with a parentRef to it, the oldest first; ports, sections and permissions are not looked at. */
  routesOf(kind: "Service" | "Gateway", name: string): readonly RequestRoute[] {
    return this.#attached.get(`${kind} ${name}`) ?? [];
  }

  /** The same for routes of connections that are carried as they are. */
  tunnelRoutesOf(kind: "Service" | "Gateway", name: string): readonly TunnelRoute[] {
    return this.#tunnels.get(`${kind} ${name}`) ?? [];
  }

  /** Whether a `source` of namespace `from` may name that resource of another namespace. */
  granted(
    source: AnyRoute["kind"] | "Gateway" | "FilterBinding",
    from: string,
    kind: "Service" | "Secret",
    to: string,
    name: string,
  ): boolean {
    return from === to || this.grants.some((grant) =>
      grant.metadata.namespace === to &&
      grant.spec.from.some((one) => one.namespace === from && one.kind === source) &&
      grant.spec.to.some((entry) =>
        entry.kind === kind && (entry.name === undefined || entry.name === name)
      )
    );
  }
}

export function isTunnelRoute(route: AnyRoute): route is TunnelRoute {
  return route.kind === "TCPRoute" || route.kind === "TLSRoute";
}

/** Whether a route of this kind is for such a port. */
export function carries(kind: AnyRoute["kind"], port: ServicePort): boolean {
  const protocol = wireProtocol(port);
  if (kind === "HTTPRoute") return protocol !== "tcp";
  return protocol === (kind === "GRPCRoute" ? "h2" : "tcp");
}

/** The Gateway or Service a parentRef names, as `namespace/name`. */
export function parentName(route: AnyRoute, ref: ParentRef): string {
  return `${ref.namespace ?? route.metadata.namespace}/${ref.name}`;
}

export function isServiceParent(ref: ParentRef): boolean {
  return ref.kind === "Service";
}

/** Whether a route is of the Service's own namespace: then it holds for all callers, else for its own sidecars. */
export function isProducer(route: AnyRoute, ref: ParentRef): boolean {
  return isServiceParent(ref) && (ref.namespace ?? route.metadata.namespace) ===
      route.metadata.namespace;
}

/** The port a backendRef means: its own, or the only one of the Service; null when neither is there. */
export function backendPort(service: Service, port: number | undefined): number | null {
  const { ports } = service.spec;
  if (port === undefined) return ports.length === 1 ? ports[0]!.port : null;
  return ports.some((one) => one.port === port) ? port : null;
}

export function portOf(service: Service, port: number): ServicePort {
  return service.spec.ports.find((one) => one.port === port)!;
}

/** What backends and inbound routes of a Service's port are called. */
export function backendName(service: Service, port: number): string {
  return `${fullName(service)}:${port}`;
}

/** Whether a port leads to where a sidecar sends all requests that say nothing else, over HTTP/1.1. */
export function isMainPort(one: ServicePort): boolean {
  return one.targetPort === undefined && wireProtocol(one) === undefined;
}

/** The field value that tells a sidecar which port is meant; null: its main one, or there is no sidecar. */
export function portField(service: Service, port: ServicePort): string | null {
  if (service.spec.endpoints !== undefined || isMainPort(port)) return null;
  return backendName(service, port.port);
}

/** Age, then name: the Gateway API's order between equals. */
export function older(a: Resource, b: Resource): number {
  return compare(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") ||
    compare(fullName(a), fullName(b));
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function attach<R extends AnyRoute>(to: Map<string, R[]>, route: R): void {
  const parents = route.spec.parentRefs.map((ref) =>
    `${isServiceParent(ref) ? "Service" : "Gateway"} ${parentName(route, ref)}`
  );
  for (const parent of new Set(parents)) push(to, parent, route);
}

function byName<R extends Resource>(resources: readonly R[]): Map<string, R> {
  return new Map(resources.map((one) => [fullName(one), one]));
}

function target(of: Resource, ref: { kind: string; name: string }): string {
  return `${ref.kind} ${of.metadata.namespace}/${ref.name}`;
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
