/** Gateway of the Gateway API v1: the listeners an edge proxy opens. */
import { z } from "zod";
import {
  GATEWAY_API,
  GATEWAY_GROUP,
  hostname,
  metadata,
  name,
  problem,
  show,
  wanted,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

/** Kinds of routes a listener takes, by its protocol. */
export const ROUTES_OF = {
  HTTP: ["HTTPRoute", "GRPCRoute"],
  TCP: ["TCPRoute"],
  TLS: ["TLSRoute"],
} as const;

const listener = z.strictObject({
  name,
  /** Port 0 is ours: the proxy takes a free one and says which on its ready line. */
  port: z.int(wanted("a whole number")).min(0, wanted("a port from 0 to 65535"))
    .max(65535, wanted("a port from 0 to 65535")),
  protocol: z.enum(["HTTP", "TCP", "TLS"], wanted('"HTTP", "TCP" or "TLS"')),
  hostname: hostname.optional(),
  /** TLS: the bytes pass through to the backend, which has the certificate. */
  tls: z.strictObject({
    mode: z.literal("Passthrough", wanted('"Passthrough"; this version ends no TLS at a gateway')),
  }).optional(),
  allowedRoutes: z.strictObject({
    namespaces: z.strictObject({
      from: z.enum(["All", "Same"]).optional(),
    }).optional(),
    kinds: z.array(z.strictObject({
      group: z.literal(GATEWAY_GROUP).optional(),
      kind: z.enum(["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"]),
    })).max(8).optional(),
  }).optional(),
}).check((ctx) => {
  const { protocol, hostname, tls, allowedRoutes } = ctx.value;
  if (protocol === "TLS" && tls === undefined) {
    problem(ctx, ["tls"], "is missing, wanted {mode: Passthrough} for protocol TLS");
  }
  if (protocol !== "TLS" && tls !== undefined) {
    problem(ctx, ["tls"], `stands beside protocol ${show(protocol)}; wanted protocol "TLS"`);
  }
  if (protocol === "TCP" && hostname !== undefined) {
    problem(ctx, ["hostname"], "stands beside protocol TCP, whose clients name no host");
  }
  const kinds: readonly string[] = ROUTES_OF[protocol];
  allowedRoutes?.kinds?.forEach(({ kind }, at) => {
    if (kinds.includes(kind)) return;
    problem(
      ctx,
      ["allowedRoutes", "kinds", at, "kind"],
      `is ${show(kind)}; a listener of protocol ${protocol} takes ${kinds.join(" and ")}`,
    );
  });
});

export const gateway = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("Gateway"),
  metadata,
  spec: z.strictObject({
    /** Accepted for what Kubernetes manifests carry; every Gateway here is Denim's. */
    gatewayClassName: name.optional(),
    listeners: z.array(listener).min(1, { error: "is empty, wanted at least one listener" })
      .max(LIMITS.listeners, { error: `holds more than ${LIMITS.listeners} listeners` }),
  }).check((ctx) => {
    const names = new Set<string>();
    const places = new Set<string>();
    ctx.value.listeners.forEach((one, at) => {
      if (names.has(one.name)) {
        problem(ctx, ["listeners", at, "name"], `is ${show(one.name)}, which another listener has`);
      }
      names.add(one.name);
      if (one.port === 0) return;
      const other = ctx.value.listeners.find((earlier) => earlier.port === one.port)!;
      if (other.protocol !== one.protocol) {
        return problem(
          ctx,
          ["listeners", at, "port"],
          `is ${one.port}, which listener ${show(other.name)} has for protocol ${other.protocol}`,
        );
      }
      const place = `${one.port}/${one.hostname ?? ""}`;
      if (places.has(place)) {
        problem(
          ctx,
          ["listeners", at],
          `has the port and hostname of another listener; wanted a different port or hostname`,
        );
      }
      places.add(place);
    });
  }),
});

export type Gateway = z.infer<typeof gateway>;
export type GatewayListener = z.infer<typeof listener>;
