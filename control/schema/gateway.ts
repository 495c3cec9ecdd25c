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

const listener = z.strictObject({
  name,
  /** Port 0 is ours: the proxy takes a free one and says which on its ready line. */
  port: z.int(wanted("a whole number")).min(0, wanted("a port from 0 to 65535"))
    .max(65535, wanted("a port from 0 to 65535")),
  protocol: z.literal("HTTP", wanted('"HTTP", the only protocol gateways speak in this version')),
  hostname: hostname.optional(),
  allowedRoutes: z.strictObject({
    namespaces: z.strictObject({
      from: z.enum(["All", "Same"]).optional(),
    }).optional(),
    kinds: z.array(z.strictObject({
      group: z.literal(GATEWAY_GROUP).optional(),
      kind: z.literal("HTTPRoute"),
    })).max(8).optional(),
  }).optional(),
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
      const place = `${one.port}/${one.hostname ?? ""}`;
      if (one.port !== 0 && places.has(place)) {
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
