/** ReferenceGrant of the Gateway API: a namespace's permission to refer into it. */
import { z } from "zod";
import { GATEWAY_API, GATEWAY_GROUP, label, metadata, name, serviceGroup } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

export const referenceGrant = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("ReferenceGrant"),
  metadata,
  spec: z.strictObject({
    from: z.array(z.strictObject({
      group: z.literal(GATEWAY_GROUP),
      kind: z.enum(["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"]),
      namespace: label,
    })).min(1, { error: "is empty, wanted at least one source" }).max(LIMITS.grantEntries),
    to: z.array(z.strictObject({
      group: serviceGroup,
      kind: z.literal("Service"),
      /** Absent: every Service of the grant's namespace. */
      name: name.optional(),
    })).min(1, { error: "is empty, wanted at least one target" }).max(LIMITS.grantEntries),
  }),
});

export type ReferenceGrant = z.infer<typeof referenceGrant>;
