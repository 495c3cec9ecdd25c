/** ReferenceGrant of the Gateway API: a namespace's permission to refer into it. */
import { z } from "zod";
import {
  DENIM_GROUP,
  GATEWAY_API,
  GATEWAY_GROUP,
  label,
  metadata,
  name,
  problem,
  serviceGroup,
  show,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

export const referenceGrant = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("ReferenceGrant"),
  metadata,
  spec: z.strictObject({
    from: z.array(
      z.strictObject({
        group: z.enum([GATEWAY_GROUP, DENIM_GROUP]),
        kind: z.enum([
          "HTTPRoute",
          "GRPCRoute",
          "TCPRoute",
          "TLSRoute",
          "Gateway",
          "FilterBinding",
        ]),
        namespace: label,
      }).check((ctx) => {
        const { group, kind } = ctx.value;
        const right = kind === "FilterBinding" ? DENIM_GROUP : GATEWAY_GROUP;
        if (group !== right) problem(ctx, ["group"], `is ${show(group)}, wanted "${right}"`);
      }),
    ).min(1, { error: "is empty, wanted at least one source" }).max(LIMITS.grantEntries),
    to: z.array(
      z.strictObject({
        group: serviceGroup,
        kind: z.enum(["Service", "Secret"]),
        /** Absent: every one of the grant's namespace. */
        name: name.optional(),
      }).check((ctx) => {
        const { group, kind } = ctx.value;
        if (kind === "Secret" && group !== "") {
          problem(ctx, ["group"], `is ${show(group)}, wanted "", the core group of Secrets`);
        }
      }),
    ).min(1, { error: "is empty, wanted at least one target" }).max(LIMITS.grantEntries),
  }),
});

export type ReferenceGrant = z.infer<typeof referenceGrant>;
