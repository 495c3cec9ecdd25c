/** Which routes a Gateway's listener takes, and for which host names. */
import { fullName } from "../schema/common.ts";
import {
  type Gateway,
  type GatewayListener,
  NAMESPACE_NAME,
  type NamespaceSelector,
  ROUTES_OF,
} from "../schema/gateway.ts";
import type { ParentRef } from "../schema/route_refs.ts";
import { type AnyRoute, isServiceParent, type Mesh, parentName } from "./mesh.ts";

export interface Attached {
  readonly route: AnyRoute;
  /** Those it has on the listener. */
  readonly hostnames: readonly string[];
  /** A route of another kind that has such a host name already: this one is not accepted. */
  readonly rival: AnyRoute | null;
}

/**
 * The routes of a listener, the oldest first. Gateway API, GRPCRoute hostnames: a host name belongs to
 * HTTPRoutes or to GRPCRoutes, whichever was there first.
 */
export function attachedRoutes(
  mesh: Mesh,
  gateway: Gateway,
  listener: GatewayListener,
): Attached[] {
  const name = fullName(gateway);
  const attached: Attached[] = [];
  for (
    const route of [...mesh.routesOf("Gateway", name), ...mesh.tunnelRoutesOf("Gateway", name)]
  ) {
    if (!route.spec.parentRefs.some((ref) => attaches(route, ref, gateway, listener))) continue;
    const shared = sharedHostnames(listener.hostname, hostnamesOfRoute(route));
    const hostnames = shared.filter((one) => closerListener(gateway, listener, one) === null);
    if (hostnames.length === 0) continue;
    const earlier = attached.find((one) =>
      one.rival === null && one.route.kind !== route.kind &&
      one.hostnames.some((a) => hostnames.some((b) => covers(a, b) || covers(b, a)))
    );
    attached.push({ route, hostnames, rival: earlier?.route ?? null });
  }
  return attached;
}

/** Whether a reference means this listener, and the listener takes routes from there. */
export function attaches(
  route: AnyRoute,
  ref: ParentRef,
  gateway: Gateway,
  listener: GatewayListener,
): boolean {
  if (isServiceParent(ref) || parentName(route, ref) !== fullName(gateway)) return false;
  if (ref.sectionName !== undefined && ref.sectionName !== listener.name) return false;
  if (ref.port !== undefined && ref.port !== listener.port) return false;
  return takes(listener, route.kind) && allows(gateway, listener, route.metadata.namespace);
}

/** Whether a listener's protocol and allowedRoutes.kinds are for routes of this kind. */
export function takes(listener: GatewayListener, kind: AnyRoute["kind"]): boolean {
  const kinds: readonly string[] = ROUTES_OF[listener.protocol];
  const allowed = listener.allowedRoutes?.kinds;
  return kinds.includes(kind) &&
    (allowed === undefined || allowed.length === 0 || allowed.some((one) => one.kind === kind));
}

export function hostnamesOfRoute(route: AnyRoute): readonly string[] | undefined {
  return route.kind === "TCPRoute" ? undefined : route.spec.hostnames;
}

/**
 * The listener of the same port that a host name belongs to, where that is another, more specific one. Its
 * owner says by allowedRoutes who may have routes there, and a route of the wider listener gets no part of it.
 */
export function closerListener(
  gateway: Gateway,
  listener: GatewayListener,
  hostname: string,
): GatewayListener | null {
  if (listener.port === 0) return null; // a socket of its own
  return gateway.spec.listeners.find((one) =>
    one !== listener && one.port === listener.port && one.hostname !== undefined &&
    covers(one.hostname, hostname) && covers(listener.hostname ?? "*", one.hostname)
  ) ?? null;
}

/** Whether routes of a namespace may attach to a listener. */
export function allows(gateway: Gateway, listener: GatewayListener, namespace: string): boolean {
  const { from = "Same", selector = {} } = listener.allowedRoutes?.namespaces ?? {};
  if (from === "Selector") return selects(selector, namespace);
  return from === "All" || (from === "Same" && gateway.metadata.namespace === namespace);
}

function selects({ matchLabels, matchExpressions }: NamespaceSelector, namespace: string): boolean {
  if (matchLabels !== undefined && matchLabels[NAMESPACE_NAME] !== namespace) return false;
  return matchExpressions?.every(({ operator, values }) =>
    values.includes(namespace) === (operator === "In")
  ) ?? true;
}

/** The host names a route has on a listener: where both name some, what they have in common. */
export function sharedHostnames(
  own: string | undefined,
  asked: readonly string[] | undefined,
): string[] {
  if (asked === undefined || asked.length === 0) return [own ?? "*"];
  if (own === undefined) return [...new Set(asked)];
  const shared = asked.map((name) => covers(own, name) ? name : covers(name, own) ? own : null);
  return [...new Set(shared.filter((name) => name !== null))];
}

/** `*.a.b` covers `x.a.b`, `y.x.a.b` and `*.x.a.b`; `*` all names, and every name itself. */
function covers(wide: string, narrow: string): boolean {
  if (wide === narrow || wide === "*") return true;
  return wide.startsWith("*.") && narrow.replace(/^\*/, "").endsWith(wide.slice(1)) &&
    narrow.replace(/^\*/, "").length > wide.length - 1;
}
