/** Whether what a route names is there and takes it: parents, their listeners and ports, backends, grants, filters. */
import { fullName, show } from "../schema/common.ts";
import { type Gateway, type GatewayListener, ROUTES_OF } from "../schema/gateway.ts";
import type { BackendRef, HttpRouteRule } from "../schema/http_route.ts";
import type { RouteFilter } from "../schema/http_route_filters.ts";
import type { ParentRef } from "../schema/route_refs.ts";
import type { ServicePort } from "../schema/service.ts";
import { missing, noPort, type Reason, type Report } from "./check_words.ts";
import {
  allows,
  attachedRoutes,
  closerListener,
  hostnamesOfRoute,
  sharedHostnames,
  takes,
} from "./attach.ts";
import {
  type AnyRoute,
  backendPort,
  carries,
  isProducer,
  isServiceParent,
  type Mesh,
  parentName,
  portOf,
} from "./mesh.ts";

export function checkRoute(mesh: Mesh, route: AnyRoute, report: Report): void {
  route.spec.parentRefs.forEach((_ref, at) => checkParent(mesh, route, at, report));
  const needsGrant = route.spec.parentRefs.some((ref) => parentNeedsGrant(route, ref));
  checkRules(mesh, route, needsGrant, report);
}

/** Whether the parent of that number is there and takes the route. */
export function checkParent(mesh: Mesh, route: AnyRoute, at: number, report: Report): void {
  const ref = route.spec.parentRefs[at]!, path = `spec.parentRefs[${at}]`;
  if (isServiceParent(ref)) checkServiceParent(mesh, route, ref, path, report);
  else checkGatewayParent(mesh, route, ref, path, report);
}

/**
 * Whether backends in other namespaces want a ReferenceGrant. A route of a Gateway sends strangers there, and
 * a producer route has others' sidecars go there with their identities; a consumer's own could go there anyway.
 */
export function parentNeedsGrant(route: AnyRoute, ref: ParentRef): boolean {
  return !isServiceParent(ref) || isProducer(route, ref);
}

/** Whether what the rules lead to is there and may be led to. */
export function checkRules(
  mesh: Mesh,
  route: AnyRoute,
  needsGrant: boolean,
  report: Report,
): void {
  const rules: Omit<HttpRouteRule, "matches">[] = route.spec.rules ?? [];
  rules.forEach((rule, i) => {
    const path = `spec.rules[${i}]`;
    checkExtensions(mesh, route, rule.filters, `${path}.filters`, report);
    rule.backendRefs?.forEach((ref, j) => {
      const at = `${path}.backendRefs[${j}]`;
      checkBackend(mesh, route, ref, { at, needsGrant }, report);
      checkExtensions(mesh, route, ref.filters, `${at}.filters`, report);
    });
  });
}

function checkServiceParent(
  mesh: Mesh,
  route: AnyRoute,
  ref: ParentRef,
  path: string,
  report: Report,
): void {
  const name = parentName(route, ref);
  const service = found(mesh.services, "Service", name, path, report, "NoMatchingParent");
  if (service === undefined) return;
  if (ref.port !== undefined && backendPort(service, ref.port) === null) {
    return report(
      `${path}.port`,
      noPort(name, ref.port, service.spec.ports.map((one) => one.port)),
      "NoMatchingParent",
    );
  }
  if (route.kind === "TLSRoute") {
    return report(
      path,
      `names Service "${name}"; a TLSRoute belongs to a Gateway, and a TCPRoute splits the TLS ports of a Service`,
      "UnsupportedValue",
    );
  }
  const meant = service.spec.ports.filter((one) => ref.port === undefined || one.port === ref.port);
  if (!meant.some((one) => carries(route.kind, one))) {
    report(
      path,
      `names Service "${name}", ${ports(meant)}; ${wantedPorts(route)}`,
      "UnsupportedValue",
    );
  }
}

/** What a reference names; undefined: it is not there, as is reported. */
function found<T>(
  known: ReadonlyMap<string, T>,
  kind: string,
  name: string,
  path: string,
  report: Report,
  reason: Reason,
): T | undefined {
  const one = known.get(name);
  if (one === undefined) report(`${path}.name`, missing(kind, name, known.keys()), reason);
  return one;
}

function ports(of: readonly ServicePort[]): string {
  const list = of.map((one) => `${one.port} of protocol ${one.protocol ?? "HTTP"}`).join(", ");
  return `which has port ${list}`;
}

function wantedPorts({ kind }: AnyRoute): string {
  if (kind === "HTTPRoute") return "an HTTPRoute is for HTTP ports, a TCPRoute for this one";
  return `a ${kind} is for ports of protocol ${
    kind === "GRPCRoute" ? "GRPC or HTTP2" : "TCP or TLS"
  }`;
}

function checkGatewayParent(
  mesh: Mesh,
  route: AnyRoute,
  ref: ParentRef,
  path: string,
  report: Report,
): void {
  const name = parentName(route, ref);
  const gateway = found(mesh.gateways, "Gateway", name, path, report, "NoMatchingParent");
  if (gateway === undefined) return;
  const { listeners } = gateway.spec;
  const named = listeners.filter((one) =>
    (ref.sectionName === undefined || one.name === ref.sectionName) &&
    (ref.port === undefined || one.port === ref.port)
  );
  if (named.length === 0) {
    const known = listeners.map((one) => `${one.name} (port ${one.port})`).join(", ");
    return report(
      path,
      `names no listener of Gateway "${name}", which has ${known}`,
      "NoMatchingParent",
    );
  }
  const fitting = named.filter((one) => takes(one, route.kind));
  if (fitting.length === 0) {
    const known = named.map((one) => {
      const kinds = one.allowedRoutes?.kinds?.map(({ kind }) => kind) ?? ROUTES_OF[one.protocol];
      return `${one.name} (${one.protocol}, takes ${kinds.join(" and ")})`;
    }).join(", ");
    return report(
      path,
      `names Gateway "${name}", none of whose listeners takes a ${route.kind}: ${known}`,
      "NotAllowedByListeners",
    );
  }
  const open = fitting.filter((one) => allows(gateway, one, route.metadata.namespace));
  if (open.length === 0) {
    return report(
      path,
      `names Gateway "${name}", whose listeners take no routes from namespace ` +
        `"${route.metadata.namespace}"; its owner says by allowedRoutes.namespaces from where they do`,
      "NotAllowedByListeners",
    );
  }
  const hostnames = hostnamesOfRoute(route);
  const shared = open.flatMap((one) =>
    sharedHostnames(one.hostname, hostnames).map((host) => ({
      host,
      owner: closerListener(gateway, one, host),
    }))
  );
  if (shared.length === 0) {
    const own = open.map((one) => show(one.hostname)).join(", ");
    report(
      "spec.hostnames",
      `have nothing in common with the host names of Gateway "${name}": ${own}`,
      "NoMatchingListenerHostname",
    );
  } else if (shared.every(({ owner }) => owner !== null)) {
    const owners = shared.map(({ host, owner }) => `"${host}" to listener ${show(owner!.name)}`);
    report(
      "spec.hostnames",
      `belong to other listeners of Gateway "${name}" than those it attaches to: ` +
        `${[...new Set(owners)].join(", ")}; only routes of such a listener have them`,
      "NoMatchingListenerHostname",
    );
  }
  for (const one of open) checkRivals(mesh, route, gateway, one, report);
}

/** HTTPRoutes and GRPCRoutes do not share a host name of a listener. */
function checkRivals(
  mesh: Mesh,
  route: AnyRoute,
  gateway: Gateway,
  listener: GatewayListener,
  report: Report,
): void {
  const attached = attachedRoutes(mesh, gateway, listener);
  const rival = attached.find((one) => one.route === route)?.rival ?? null;
  if (rival === null) return;
  const hostnames = hostnamesOfRoute(route) ?? [];
  report(
    "spec.hostnames",
    `${hostnames.length === 0 ? "are not given and so meet" : "meet"} those of ` +
      `${rival.kind} "${fullName(rival)}" at listener ${
        show(listener.name)
      }, which was there first; ` +
      "a host name belongs to HTTPRoutes or to GRPCRoutes, so give one of the two its own",
    "UnsupportedValue",
  );
}

function checkBackend(
  mesh: Mesh,
  route: AnyRoute,
  ref: BackendRef,
  place: { readonly at: string; readonly needsGrant: boolean },
  report: Report,
): void {
  const namespace = ref.namespace ?? route.metadata.namespace;
  const name = `${namespace}/${ref.name}`;
  const service = found(mesh.services, "Service", name, place.at, report, "BackendNotFound");
  if (service === undefined) return;
  const numbers = service.spec.ports.map((one) => one.port);
  const port = backendPort(service, ref.port);
  if (port === null) {
    report(
      `${place.at}.port`,
      ref.port === undefined
        ? `is missing; Service "${name}" has several ports: ${numbers.join(", ")}`
        : noPort(name, ref.port, numbers),
      "BackendNotFound",
    );
  } else if (!carries(route.kind, portOf(service, port))) {
    report(
      `${place.at}.port`,
      `is of Service "${name}", ${ports([portOf(service, port)])}; ${wantedPorts(route)}`,
      "InvalidKind",
    );
  }
  if (
    place.needsGrant &&
    !mesh.granted(route.kind, route.metadata.namespace, "Service", namespace, ref.name)
  ) {
    report(
      `${place.at}.namespace`,
      `is "${namespace}", which has no ReferenceGrant for ${route.kind}s of namespace ` +
        `"${route.metadata.namespace}" to Service "${ref.name}"`,
      "RefNotPermitted",
    );
  }
}

function checkExtensions(
  mesh: Mesh,
  route: AnyRoute,
  filters: readonly RouteFilter[] | undefined,
  path: string,
  report: Report,
): void {
  filters?.forEach((filter, at) => {
    if (filter.type !== "ExtensionRef") return;
    const name = `${route.metadata.namespace}/${filter.extensionRef.name}`;
    if (mesh.bindings.has(name)) return;
    report(
      `${path}[${at}].extensionRef.name`,
      missing("FilterBinding", name, mesh.bindings.keys()),
      "InvalidKind",
    );
  });
}
