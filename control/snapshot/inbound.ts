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
import { isTunnelled, type Service, type ServicePort, wireProtocol } from "../schema/service.ts";
import type { BackendSpec, ListenerSpec, MatchSpec, RouteSpec } from "../schema/snapshot.ts";
import { type Chain, chainOf } from "./filters.ts";
import { backendName, compare, isMainPort } from "./mesh.ts";
import { selects, type Work } from "./work.ts";

/** The backend for HTTP; the proxy puts the addresses of its app there. */
export const APP_BACKEND = "app";

export function inboundListener(work: Work): ListenerSpec {
  const { namespace, name } = work.node;
  const services = servicesOf(work);
  const bindings = services.flatMap((service) => work.mesh.bindingsOf("Service", service));
  const route = `${namespace}/${name}`;
  const chain = chainOf(work, { name: route, namespace, filters: [], bindings, prefix: "" });
  addApp(work, APP_BACKEND);
  const ports = services.flatMap((service) =>
    portRoutes(work, work.mesh.services.get(service), chain)
  );
  const routes = [
    ...ports,
    ...(ports.length === 0 ? [] : [unknownPort(route)]),
    routeTo(route, [], APP_BACKEND, chain),
  ];
  return { name: "inbound", role: "inbound", tls: "mesh", hosts: [{ hostnames: ["*"], routes }] };
}

/** Routes to the ports of a Service that are not the main one. */
function portRoutes(work: Work, service: Service | undefined, chain: Chain): RouteSpec[] {
  const ports = service?.spec.ports.filter((one) => !isMainPort(one)) ?? [];
  return ports.map((one): RouteSpec => {
    const name = backendName(service!, one.port);
    const backend = appBackend(one);
    addApp(work, backend, wireProtocol(one));
    const headers = [{ name: PORT_FIELD, type: "Exact" as const, value: name }];
    const route = routeTo(name, [{ headers }], backend, chain);
    return isTunnelled(one) ? { ...route, tunnel: true } : route;
  });
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

/** Every Service this node's workload stands behind; its own name even where no Service says so. */
function servicesOf(work: Work): string[] {
  const { namespace, name } = work.node;
  const found = new Set([`${namespace}/${name}`]);
  for (const [key, service] of work.mesh.services) {
    const { from = service.metadata.name, selector = {}, endpoints } = service.spec;
    if (service.metadata.namespace !== namespace || from !== name) continue;
    if (endpoints !== undefined) continue;
    if (selects(selector, work.nodeLabels)) found.add(key);
    else found.delete(key);
  }
  return [...found].sort(compare);
}
