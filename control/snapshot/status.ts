/**
 * What became of a route at each of its parents, in the conditions of the Gateway API (Accepted,
 * ResolvedRefs), and for Services whom it holds for. Computed from the resources when it is asked for, so
 * that it is never behind them; it has no lastTransitionTime for that reason.
 */
import { fullName } from "../schema/common.ts";
import type { Resource } from "../schema/kinds.ts";
import type { ParentRef } from "../schema/route_refs.ts";
import { attaches } from "./attach.ts";
import { checkParent, checkRules, parentNeedsGrant } from "./check_routes.ts";
import type { Reason } from "./check_words.ts";
import { type AnyRoute, isProducer, isServiceParent, type Mesh, parentName } from "./mesh.ts";

export const CONTROLLER = "denim.dev/control";
/** True where a route is of the Service's own namespace, and false where it overrides for its own only. */
export const PRODUCER_CONDITION = "denim.dev/Producer";

export interface Condition {
  readonly type: "Accepted" | "ResolvedRefs" | typeof PRODUCER_CONDITION;
  readonly status: "True" | "False";
  readonly reason: Reason | "Accepted" | "ResolvedRefs" | "Producer" | "Consumer";
  readonly message: string;
  /** Of the route this is said of; absent for what no store has counted. */
  readonly observedGeneration?: number;
}

export interface ParentStatus {
  readonly parentRef: ParentRef;
  readonly controllerName: typeof CONTROLLER;
  readonly conditions: readonly Condition[];
}

export interface RouteStatus {
  readonly parents: readonly ParentStatus[];
}

export function isRoute(resource: Resource): resource is AnyRoute {
  return ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"].includes(resource.kind);
}

export function routeStatus(mesh: Mesh, route: AnyRoute): RouteStatus {
  const { generation } = route.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  return {
    parents: route.spec.parentRefs.map((parentRef, at) => ({
      parentRef,
      controllerName: CONTROLLER,
      conditions: conditions(mesh, route, parentRef, at).map((one) => ({ ...one, ...observed })),
    })),
  };
}

function conditions(mesh: Mesh, route: AnyRoute, ref: ParentRef, at: number): Condition[] {
  const accepted = firstProblem((report) => checkParent(mesh, route, at, report));
  const needsGrant = parentNeedsGrant(route, ref);
  const resolved = firstProblem((report) => checkRules(mesh, route, needsGrant, report));
  const list: Condition[] = [
    accepted === null
      ? {
        type: "Accepted",
        status: "True",
        reason: "Accepted",
        message: isServiceParent(ref) ? "" : listenersText(mesh, route, ref),
      }
      : { type: "Accepted", status: "False", ...accepted },
    resolved === null
      ? { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "" }
      : { type: "ResolvedRefs", status: "False", ...resolved },
  ];
  if (isServiceParent(ref)) list.push(scope(mesh, route, ref));
  return list;
}

/** Whom a route of a Service holds for. */
function scope(mesh: Mesh, route: AnyRoute, ref: ParentRef): Condition {
  const service = parentName(route, ref), type = PRODUCER_CONDITION;
  if (!isProducer(route, ref)) {
    const message = `Overrides Service "${service}" for sidecars of namespace ` +
      `"${route.metadata.namespace}" and for nobody else`;
    return { type, status: "False", reason: "Consumer", message };
  }
  const home = route.metadata.namespace;
  const routes = [
    ...mesh.routesOf("Service", service),
    ...mesh.tunnelRoutesOf("Service", service),
  ];
  const others = new Set(routes.map((one) => one.metadata.namespace).filter((one) => one !== home));
  const but = others.size === 0
    ? ""
    : `, except where namespaces have routes of their own: ${[...others].sort().join(", ")}`;
  const message = `Holds for all callers of Service "${service}"${but}`;
  return { type, status: "True", reason: "Producer", message };
}

function listenersText(mesh: Mesh, route: AnyRoute, ref: ParentRef): string {
  const gateway = mesh.gateways.get(parentName(route, ref));
  if (gateway === undefined) return "";
  const taking = gateway.spec.listeners.filter((one) => attaches(route, ref, gateway, one));
  const names = taking.map((one) => one.name).join(", ");
  return `Attached to Gateway "${fullName(gateway)}" at ${names}`;
}

function firstProblem(
  check: (report: (path: string, message: string, reason?: Reason) => void) => void,
): { readonly reason: Reason; readonly message: string } | null {
  let first: { readonly reason: Reason; readonly message: string } | null = null;
  check((path, message, reason = "UnsupportedValue") => {
    first ??= { reason, message: `${path} ${message}` };
  });
  return first;
}
