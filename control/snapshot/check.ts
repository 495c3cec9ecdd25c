/** Whether everything a resource names is there: refused at apply, before anything is stored. */
import { fullName, show } from "../schema/common.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import { type Gateway, type GatewayListener, ROUTES_OF } from "../schema/gateway.ts";
import type { BackendRef, HttpRouteRule } from "../schema/http_route.ts";
import type { RouteFilter } from "../schema/http_route_filters.ts";
import { ofKind, type Resource, resourceId } from "../schema/kinds.ts";
import { nearest } from "../schema/problems.ts";
import type { ParentRef } from "../schema/route_refs.ts";
import type { ServicePort } from "../schema/service.ts";
import { allows, attachedRoutes, hostnamesOfRoute, sharedHostnames, takes } from "./listeners.ts";
import {
  type AnyRoute,
  backendPort,
  carries,
  isServiceParent,
  Mesh,
  parentName,
  portOf,
} from "./mesh.ts";
import { findModule } from "./modules.ts";

export interface ReferenceProblem {
  /** `HTTPRoute default/web`. */
  readonly resource: string;
  readonly path: string;
  readonly message: string;
}

export interface KnownModule {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  /** What it was seen to use. */
  readonly capabilities?: readonly string[];
}

type Report = (path: string, message: string) => void;

/**
 * Checks the references of all resources together: the state as it would be after the apply (or the delete),
 * so that a route and its backend may come in one input and nothing named may be taken away.
 */
export function checkReferences(
  all: readonly Resource[],
  modules: readonly KnownModule[],
  options: { readonly standalone?: boolean } = {},
): ReferenceProblem[] {
  const mesh = new Mesh(all);
  const problems: ReferenceProblem[] = [];
  const reporter = (resource: Resource): Report => (path, message) =>
    void problems.push({ resource: resourceId(resource), path, message });
  const routes = [
    ...ofKind(all, "HTTPRoute"),
    ...ofKind(all, "GRPCRoute"),
    ...ofKind(all, "TCPRoute"),
    ...ofKind(all, "TLSRoute"),
  ];
  for (const route of routes) checkRoute(mesh, route, reporter(route));
  for (const one of [...ofKind(all, "TrafficPolicy"), ...ofKind(all, "FilterBinding")]) {
    const report = reporter(one);
    one.spec.targetRefs?.forEach((ref, at) => {
      const name = `${one.metadata.namespace}/${ref.name}`;
      if (!exists(mesh, ref.kind, name)) {
        report(`spec.targetRefs[${at}].name`, missing(ref.kind, name, namesOf(mesh, ref.kind)));
      }
    });
    if (one.kind === "FilterBinding") checkModule(one.spec, modules, options, report);
  }
  if (options.standalone === true) {
    for (const service of ofKind(all, "Service")) {
      if (service.spec.endpoints !== undefined) continue;
      reporter(service)(
        "spec.endpoints",
        "is missing; a standalone proxy knows fixed addresses only",
      );
    }
  }
  return problems;
}

function checkRoute(mesh: Mesh, route: AnyRoute, report: Report): void {
  route.spec.parentRefs.forEach((ref, at) => {
    const path = `spec.parentRefs[${at}]`;
    if (isServiceParent(ref)) checkServiceParent(mesh, route, ref, path, report);
    else checkGatewayParent(mesh, route, ref, path, report);
  });
  const needsGrant = route.spec.parentRefs.some((ref) => !isServiceParent(ref));
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
  const service = mesh.services.get(name);
  if (service === undefined) {
    return report(`${path}.name`, missing("Service", name, mesh.services.keys()));
  }
  if (ref.port !== undefined && backendPort(service, ref.port) === null) {
    return report(
      `${path}.port`,
      noPort(name, ref.port, service.spec.ports.map((one) => one.port)),
    );
  }
  if (route.kind === "TLSRoute") {
    return report(
      path,
      `names Service "${name}"; a TLSRoute belongs to a Gateway, and a TCPRoute splits the TLS ports of a Service`,
    );
  }
  const meant = service.spec.ports.filter((one) => ref.port === undefined || one.port === ref.port);
  if (!meant.some((one) => carries(route.kind, one))) {
    report(path, `names Service "${name}", ${ports(meant)}; ${wantedPorts(route)}`);
  }
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
  const gateway = mesh.gateways.get(name);
  if (gateway === undefined) {
    return report(`${path}.name`, missing("Gateway", name, mesh.gateways.keys()));
  }
  const { listeners } = gateway.spec;
  const named = listeners.filter((one) =>
    (ref.sectionName === undefined || one.name === ref.sectionName) &&
    (ref.port === undefined || one.port === ref.port)
  );
  if (named.length === 0) {
    const known = listeners.map((one) => `${one.name} (port ${one.port})`).join(", ");
    return report(path, `names no listener of Gateway "${name}", which has ${known}`);
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
    );
  }
  const open = fitting.filter((one) => allows(gateway, one, route.metadata.namespace));
  if (open.length === 0) {
    return report(
      path,
      `names Gateway "${name}", whose listeners take no routes from namespace ` +
        `"${route.metadata.namespace}"; its allowedRoutes.namespaces.from has to be All`,
    );
  }
  const hostnames = hostnamesOfRoute(route);
  if (open.every((one) => sharedHostnames(one.hostname, hostnames).length === 0)) {
    const own = open.map((one) => show(one.hostname)).join(", ");
    report(
      "spec.hostnames",
      `have nothing in common with the host names of Gateway "${name}": ${own}`,
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
  const service = mesh.services.get(name);
  if (service === undefined) {
    return report(`${place.at}.name`, missing("Service", name, mesh.services.keys()));
  }
  const numbers = service.spec.ports.map((one) => one.port);
  const port = backendPort(service, ref.port);
  if (port === null) {
    report(
      `${place.at}.port`,
      ref.port === undefined
        ? `is missing; Service "${name}" has several ports: ${numbers.join(", ")}`
        : noPort(name, ref.port, numbers),
    );
  } else if (!carries(route.kind, portOf(service, port))) {
    report(
      `${place.at}.port`,
      `is of Service "${name}", ${ports([portOf(service, port)])}; ${wantedPorts(route)}`,
    );
  }
  if (
    place.needsGrant && !mesh.granted(route.kind, route.metadata.namespace, namespace, ref.name)
  ) {
    report(
      `${place.at}.namespace`,
      `is "${namespace}", which has no ReferenceGrant for ${route.kind}s of namespace ` +
        `"${route.metadata.namespace}" to Service "${ref.name}"`,
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
    );
  });
}

function checkModule(
  spec: FilterBinding["spec"],
  known: readonly KnownModule[],
  options: { readonly standalone?: boolean },
  report: Report,
): void {
  const { module: ref, capabilities } = spec;
  if (ref.file !== undefined && options.standalone !== true) {
    return report(
      "spec.module.file",
      "is read by a standalone proxy only; push the filter to the control plane and name its listing",
    );
  }
  const found = findModule(known, ref);
  if (found !== null) {
    const uses = found.capabilities ?? [];
    // Left out by mistake far more often than on purpose, and then every call of the filter is refused.
    if (capabilities === undefined && uses.length > 0) {
      const list = uses.join(", ");
      report(
        "spec.capabilities",
        `is missing; ${found.name} uses ${list}: list what you grant, or []`,
      );
    }
    return;
  }
  if (ref.digest !== undefined) {
    return report("spec.module.digest", `is ${show(ref.digest)}, which no admitted filter has`);
  }
  if (ref.file !== undefined) {
    return report("spec.module.file", `is ${show(ref.file)}, which was not read`);
  }
  const versions = known.filter((one) => one.name === ref.name).map((one) => one.version);
  if (versions.length > 0) {
    return report(
      "spec.module.version",
      `is ${show(ref.version)}, which is not admitted; admitted are ${versions.join(", ")}`,
    );
  }
  const names = [...new Set(known.map((one) => one.name))];
  report(
    "spec.module.name",
    `is ${show(ref.name)}, which no admitted filter is called` + suggestion(ref.name!, names) +
      (names.length === 0 ? "; no filter is admitted yet" : ""),
  );
}

function exists(mesh: Mesh, kind: string, name: string): boolean {
  for (const known of namesOf(mesh, kind)) if (known === name) return true;
  return false;
}

function namesOf(mesh: Mesh, kind: string): Iterable<string> {
  if (kind === "Service") return mesh.services.keys();
  if (kind === "Gateway") return mesh.gateways.keys();
  return mesh.routes.filter((route) => route.kind === kind).map(fullName);
}

function missing(kind: string, name: string, known: Iterable<string>): string {
  return `names ${kind} "${name}", which does not exist and is not in this input` +
    suggestion(name, known);
}

function suggestion(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === null ? "" : `; did you mean "${near}"?`;
}

function noPort(name: string, port: number, ports: readonly number[]): string {
  return `is ${port}, which Service "${name}" does not have; it has ${ports.join(", ")}`;
}
