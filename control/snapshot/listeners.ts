/** The listeners of a node: a sidecar's inbound and outbound, or those of a Gateway. */
import { fullName } from "../schema/common.ts";
import type { Gateway, GatewayListener } from "../schema/gateway.ts";
import { chainOf, keyOf } from "../schema/secret.ts";
import { isTunnelled, type Service } from "../schema/service.ts";
import type { CertificateSpec, HostSpec, ListenerSpec, RouteSpec } from "../schema/snapshot.ts";
import { attachedRoutes } from "./attach.ts";
import { inboundListener } from "./inbound.ts";
import {
  type AnyRoute,
  carries,
  compare,
  isServiceParent,
  isTunnelRoute,
  parentName,
  portOf,
} from "./mesh.ts";
import { implicitRoute, type RouteParent, routeSpecs, tunnelSpec } from "./routes.ts";
import { type Level, serviceLevels, targetLevels } from "./settings.ts";
import { Work } from "./work.ts";

export function sidecarListeners(work: Work): ListenerSpec[] {
  const { namespace } = work.node;
  const outbound = work.shared.outbound(namespace, () => {
    const any = new Work(work.shared, { kind: "sidecar", namespace, name: "" });
    return any.outbound(outboundHosts(any));
  });
  work.adopt(outbound);
  return [
    inboundListener(work),
    { name: "outbound", role: "outbound", tls: "none", hosts: outbound.hosts },
  ];
}

/** A host for each port of each Service; a request without a port means 80, or else the first. */
function outboundHosts(work: Work): HostSpec[] {
  const hosts: HostSpec[] = [];
  const services = [...work.mesh.services.values()].sort((a, b) =>
    compare(fullName(a), fullName(b))
  );
  for (const service of services) {
    const hostnames = hostnamesOf(work, service);
    service.spec.ports.forEach((one, at) => {
      const { port } = one;
      const routes = serviceRoutes(work, service, port);
      hosts.push({ hostnames, port, routes });
      if (isTunnelled(one)) return; // nobody asks for these without their port
      const plain = at === 0 && !service.spec.ports.some((other) => other.port === 80);
      if (plain) hosts.push({ hostnames, port: 80, routes });
    });
  }
  return hosts;
}

function hostnamesOf(work: Work, service: Service): string[] {
  const { namespace, name } = service.metadata;
  const long = `${name}.${namespace}`;
  const names = [long, `${long}.svc`, `${long}.svc.cluster.local`, `${long}.mesh`];
  return namespace === work.node.namespace ? [name, ...names] : names;
}

/**
 * Gateway API for mesh: routes of the caller's namespace (consumer) stand before routes of the Service's
 * own (producer) and are never mixed with them; those of other namespaces are not looked at. Any route takes
 * the place of the implicit one, and GRPCRoutes that of HTTPRoutes.
 */
function serviceRoutes(work: Work, service: Service, port: number): RouteSpec[] {
  const name = fullName(service);
  const meant = portOf(service, port);
  const attachedTo = (route: AnyRoute): boolean =>
    carries(route.kind, meant) &&
    route.spec.parentRefs.some((ref) =>
      isServiceParent(ref) && parentName(route, ref) === name &&
      (ref.port === undefined || ref.port === port)
    );
  const attached: readonly AnyRoute[] = isTunnelled(meant)
    ? work.mesh.tunnelRoutesOf("Service", name).filter(attachedTo)
    : work.mesh.routesOf("Service", name).filter(attachedTo);
  const home = service.metadata.namespace;
  const producers = attached.filter((route) => route.metadata.namespace === home);
  const consumers = work.node.namespace === home
    ? []
    : attached.filter((route) => route.metadata.namespace === work.node.namespace);
  const chosen = consumers.length > 0 ? consumers : producers;
  if (chosen.length === 0) return [implicitRoute(work, service, port)];
  const parent = {
    bindings: [],
    guards: [],
    levels: serviceLevels(work.mesh, service),
    needsGrant: consumers.length === 0,
  };
  // GRPCRoutes say more of gRPC than HTTPRoutes can: where both are there, they alone hold.
  const grpc = chosen.filter((route) => route.kind === "GRPCRoute");
  return (grpc.length > 0 ? grpc : chosen).flatMap((route) => specsOf(work, route, parent));
}

function specsOf(work: Work, route: AnyRoute, parent: RouteParent): RouteSpec[] {
  return isTunnelRoute(route) ? [tunnelSpec(work, route, parent)] : routeSpecs(work, route, parent);
}

export function gatewayListeners(work: Work, gateway: Gateway): ListenerSpec[] {
  const levels = targetLevels(work.mesh, "Gateway", fullName(gateway));
  type Open = Omit<ListenerSpec, "proxyProtocol" | "certificates"> & {
    readonly hosts: HostSpec[];
    readonly certificates?: CertificateSpec[];
    proxyProtocol?: readonly string[];
  };
  const byPort = new Map<string, Open>();
  for (const listener of gateway.spec.listeners) {
    const hosts = listenerHosts(work, gateway, listener, levels);
    // One socket serves all listeners of a port; port 0 is a port of its own each time.
    const key = listener.port === 0 ? listener.name : String(listener.port);
    const open = byPort.get(key);
    const { name, port } = listener;
    const more = { ...BARE[listener.protocol], ...proxyProtocol(work, gateway, name) };
    const certificates = certificatesOf(work, gateway, listener);
    if (open !== undefined) {
      open.hosts.push(...hosts);
      open.certificates?.push(...certificates);
      if (more.proxyProtocol !== undefined) open.proxyProtocol ??= more.proxyProtocol;
    } else {
      const tls = listener.protocol === "HTTPS"
        ? { tls: "edge" as const, certificates }
        : { tls: "none" as const };
      byPort.set(key, { name, role: "gateway", port, ...tls, ...more, hosts });
    }
  }
  return [...byPort.values()];
}

/** Those of an HTTPS listener, in its order, for its host name. */
function certificatesOf(
  work: Work,
  gateway: Gateway,
  { hostname, tls }: GatewayListener,
): CertificateSpec[] {
  return (tls?.certificateRefs ?? []).flatMap((ref) => {
    const name = `${ref.namespace ?? gateway.metadata.namespace}/${ref.name}`;
    const secret = work.mesh.secrets.get(name);
    if (secret === undefined) return []; // refused at apply
    return [{ name, hostnames: [hostname ?? "*"], chain: chainOf(secret), key: keyOf(secret) }];
  });
}

/** The oldest policy that says something of this listener. */
function proxyProtocol(
  work: Work,
  gateway: Gateway,
  listener: string,
): Pick<ListenerSpec, "proxyProtocol"> {
  for (const { spec } of work.mesh.policies("Gateway", fullName(gateway))) {
    const { trusted, listeners = [listener] } = spec.proxyProtocol ??
      { trusted: [], listeners: [] };
    if (listeners.includes(listener)) return { proxyProtocol: trusted };
  }
  return {};
}

const BARE: Readonly<Record<GatewayListener["protocol"], Pick<ListenerSpec, "protocol">>> = {
  HTTP: {},
  HTTPS: {},
  TCP: { protocol: "tcp" },
  TLS: { protocol: "tls" },
};

/** Hosts of one listener, all in its group; its own host name is there even without a route. */
function listenerHosts(
  work: Work,
  gateway: Gateway,
  listener: GatewayListener,
  levels: readonly Level[],
): HostSpec[] {
  const parent = {
    bindings: work.mesh.bindingsOf("Gateway", fullName(gateway)),
    guards: work.shared.authentications.ofGateway(work, fullName(gateway)),
    levels,
    needsGrant: true,
    authz: {
      port: listener.port,
      policies: work.mesh.authorizations("Gateway", fullName(gateway)),
    },
  };
  const byHost = new Map<string, RouteSpec[]>([[listener.hostname ?? "*", []]]);
  for (const { route, hostnames, rival } of attachedRoutes(work.mesh, gateway, listener)) {
    if (rival !== null) continue;
    const specs = specsOf(work, route, parent);
    for (const hostname of hostnames) {
      const list = byHost.get(hostname);
      if (list === undefined) byHost.set(hostname, [...specs]);
      else list.push(...specs);
    }
  }
  return mergedHosts(byHost).map((host) => ({ ...host, group: listener.name }));
}

/** Host names with the same routes share one entry, so that a proxy compiles these once. */
function mergedHosts(byHost: ReadonlyMap<string, RouteSpec[]>): HostSpec[] {
  const merged = new Map<string, { hostnames: string[]; routes: RouteSpec[] }>();
  // By what they are, not by name: routes of two kinds may have one.
  const numbers = new Map<RouteSpec, number>();
  const numberOf = (route: RouteSpec): number => {
    if (!numbers.has(route)) numbers.set(route, numbers.size);
    return numbers.get(route)!;
  };
  for (const [hostname, routes] of [...byHost].sort(([a], [b]) => compare(a, b))) {
    const key = routes.map((route) => numberOf(route)).join(" ");
    const same = merged.get(key);
    if (same === undefined) merged.set(key, { hostnames: [hostname], routes });
    else same.hostnames.push(hostname);
  }
  return [...merged.values()];
}
