/** TCPRoute and TLSRoute of the Gateway API: where connections go that are carried as they are. */
import { z } from "zod";
import { GATEWAY_API, metadata, name } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import { hostnames } from "./route_matches.ts";
import { checkParents, parentRefs, serviceRef } from "./route_refs.ts";

/** These routes match nothing but what their listener does, so a second rule could never be reached. */
const rules = z.array(z.strictObject({
  name: name.optional(),
  backendRefs: z.array(z.strictObject(serviceRef)).min(1, {
    error: "is empty, wanted at least one Service the connections go to",
  }).max(LIMITS.backendRefs, { error: `holds more than ${LIMITS.backendRefs} backends` }),
})).min(1, { error: "is empty, wanted one rule" })
  .max(1, { error: "holds more than one rule, and nothing could tell which is meant" });

export const tcpRoute = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("TCPRoute"),
  metadata,
  spec: z.strictObject({ parentRefs, rules })
    .check((ctx) => checkParents(ctx, ctx.value.parentRefs)),
});

export const tlsRoute = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("TLSRoute"),
  metadata,
  spec: z.strictObject({
    parentRefs,
    /** Compared with the name in the client's TLS hello; absent: all that the listener takes. */
    hostnames: hostnames.optional(),
    rules,
  }).check((ctx) => checkParents(ctx, ctx.value.parentRefs)),
});

export type TcpRoute = z.infer<typeof tcpRoute>;
export type TlsRoute = z.infer<typeof tlsRoute>;
