/**
 * A sidecar's inbound listener: what other sidecars may reach of its workload, and nothing else.
 *
 *   HTTP without a port field  ──▶ app          the workload's main port, whatever the host
 *   x-denim-port: a/db:9090    ──▶ app:9091     a Service port with targetPort 9091
 *   x-denim-port: a/db:50051   ──▶ app/h2       one of protocol HTTP2 or GRPC
 *   CONNECT, with that field   ──▶ app:5432/tcp a Service port of protocol TCP or TLS
 *
 * Only ports of Services that the workload stands behind have a route: a CONNECT is no way to the rest of
 * the host.
 */
import { PORT_FIELD } from "../../core/message.ts";
import {
  BALANCER_DEFAULT,
  CONNECT_TIMEOUT_MS,
  INBOUND_RETRY,
  POOL_DEFAULTS,
} from "../schema/defaults.ts";
import type { TypedFilterSpec } from "../schema/filter_config.ts";
import { inboundAuthz, inboundPolicies } from "./authorization.ts";
import { isTunnelled, type Service, type ServicePort, wireProtocol } from "../schema/service.ts";
import type { BackendSpec, ListenerSpec, MatchSpec, RouteSpec } from "../schema/snapshot.ts";
import { type Chain, chainOf } from "./filters.ts";
import type { PeerAuthenticationMode } from "../schema/peer_authentication.ts";
import { backendName, isMainPort } from "./mesh.ts";
import { servicesBehind } from "./peer_modes.ts";
import type { Work } from "./work.ts";

/** The backend for HTTP; the proxy puts the addresses of its app there. */
export const APP_BACKEND = "app";

export function inboundListener(work: Work): ListenerSpec {
  const { namespace, name } = work.node;
  const workload = { namespace, name, labels: work.nodeLabels };
  const services = servicesBehind(work.mesh, workload);
  const bindings = services.flatMap((service) => work.mesh.bindingsOf("Service", service));
  const route = `${namespace}/${name}`;
  const tokens = work.shared.authentications.ofWorkload(work, namespace, services);
  const policies = inboundPolicies(work.mesh, namespace, services);
  const chainAt = (ports: readonly number[], l4: boolean): Chain => {
    const guards = [...tokens, ...inboundAuthz(work, policies, { ports, l4 })];
    return chainOf(work, { name: route, namespace, filters: [], bindings, prefix: "", guards });
  };
  addApp(work, APP_BACKEND);
  const { peerModes } = work.shared;
  const main = peerModes.main(workload);
  const others = services.flatMap((key) => {
    const service = work.mesh.services.get(key);
    return service?.spec.ports.filter((one) => !isMainPort(one))
      .map((port) => ({ service, port, mode: peerModes.at(workload, service, port) })) ?? [];
  });
  const tls = tlsOf([main, ...others.map(({ mode }) => mode)]);
  const ports = others.map(({ service, port, mode }) => {
    const { port: number, targetPort = number } = port;
    const chain = chainAt([number, targetPort], isTunnelled(port));
    return portRoute(work, service, port, mtlsOnly(chain, route, tls, mode));
  });
  const mainPorts = services.flatMap((key) =>
    work.mesh.services.get(key)?.spec.ports.filter(isMainPort).map(({ port }) => port) ?? []
  );
  const routes = [
    ...ports,
    ...(ports.length === 0 ? [] : [unknownPort(route)]),
    routeTo(route, [], APP_BACKEND, mtlsOnly(chainAt(mainPorts, false), route, tls, main)),
  ];
  return { name: "inbound", role: "inbound", tls, hosts: [{ hostnames: ["*"], routes }] };
}

/** All ports of a workload share its listener, which takes what any of them takes. */
function tlsOf(modes: readonly PeerAuthenticationMode[]): ListenerSpec["tls"] {
  if (modes.every((mode) => mode === "STRICT")) return "mesh";
  return modes.every((mode) => mode === "DISABLE") ? "none" : "permissive";
}

/** Where the listener takes plaintext for the sake of other ports, a STRICT one refuses it by itself. */
function mtlsOnly(
  chain: Chain,
  route: string,
  tls: ListenerSpec["tls"],
  mode: PeerAuthenticationMode,
): Chain {
  if (tls === "mesh" || mode !== "STRICT") return chain;
  const guard: TypedFilterSpec = { kind: "mtls", name: `${route}:mtls`, config: {} };
  return { ...chain, filters: [guard, ...chain.filters] };
}

/** The route to a port of a Service that is not the main one. */
function portRoute(work: Work, service: Service, port: ServicePort, chain: Chain): RouteSpec {
  const name = backendName(service, port.port);
  const backend = appBackend(port);
  addApp(work, backend, wireProtocol(port));
  const headers = [{ name: PORT_FIELD, type: "Exact" as const, value: name }];
  const route = routeTo(name, [{ headers }], backend, chain);
  return isTunnelled(port) ? { ...route, tunnel: true } : route;
}

/** A caller that knows of a port we have not heard of yet must not end up at another one. */
function unknownPort(route: string): RouteSpec {
  const headers = [{ name: PORT_FIELD, type: "RegularExpression" as const, value: ".*" }];
  return {
    name: `${route}:unknown-port`,
    matches: [{ headers }],
    filters: [],
    backends: [{ backend: "unknown-port", weight: 1, filters: [] }],
  };
}

function routeTo(
  name: string,
  matches: readonly MatchSpec[],
  backend: string,
  { filters, missing }: Chain,
): RouteSpec {
  const retry: TypedFilterSpec = { kind: "retry", name: "inbound:retry", config: INBOUND_RETRY };
  return {
    name,
    matches,
    filters: missing === null ? filters : [],
    backends: [{
      backend: missing === null ? backend : `missing-filter:${missing}`,
      weight: 1,
      filters: [retry],
    }],
  };
}

function appBackend(one: ServicePort): string {
  const { targetPort } = one;
  const port = targetPort === undefined ? APP_BACKEND : `${APP_BACKEND}:${targetPort}`;
  const protocol = wireProtocol(one);
  return protocol === undefined ? port : `${port}/${protocol}`;
}

function addApp(work: Work, name: string, protocol?: BackendSpec["protocol"]): void {
  work.add({
    name,
    endpoints: [],
    ...(protocol === undefined ? {} : { protocol }),
    balancer: { algorithm: BALANCER_DEFAULT },
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    pool: POOL_DEFAULTS,
    outlier: null, // there is one app; ejecting it would only answer faster
  });
}
