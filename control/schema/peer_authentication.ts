/** PeerAuthentication: whether callers of workloads have to prove who they are. */
import { z } from "zod";
import { DENIM_API, metadata, problem, targetRefOf, wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

/** In its own namespace, a policy without targets is for the whole mesh. */
export const MESH_NAMESPACE = "denim-system";

const MODES = ["STRICT", "PERMISSIVE", "DISABLE"] as const;

/**
 * STRICT: mTLS only. PERMISSIVE: plaintext too, for callers that are not in the mesh yet; sidecars go on to
 * use mTLS. DISABLE: plaintext only, and sidecars send it.
 */
export type PeerAuthenticationMode = (typeof MODES)[number];

const mtls = z.strictObject({
  mode: z.enum(MODES, wanted('"STRICT", "PERMISSIVE" or "DISABLE"')),
});

export const peerAuthentication = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("PeerAuthentication"),
  metadata,
  spec: z.strictObject({
    /** The workloads behind these Services; absent: all of the namespace, or of the mesh (denim-system). */
    targetRefs: z.array(targetRefOf(["Service"])).min(1, {
      error: "is empty, wanted at least one target, or no such field",
    }).max(LIMITS.targetRefs, { error: `holds more than ${LIMITS.targetRefs} targets` }).optional(),
    mtls: mtls.optional(),
    /** By port of the Service; before `mtls`. */
    portLevelMtls: z.record(
      z.string().regex(/^[1-9]\d{0,4}$/, wanted('a port of the Service, such as "8080"')),
      mtls,
    ).refine((map) => Object.keys(map).length <= LIMITS.servicePorts, {
      error: `holds more than ${LIMITS.servicePorts} ports`,
    }).optional(),
  }).check((ctx) => {
    const { targetRefs, mtls, portLevelMtls } = ctx.value;
    if (mtls === undefined && portLevelMtls === undefined) {
      problem(ctx, ["mtls"], 'is missing, wanted {mode: "STRICT"}, "PERMISSIVE" or "DISABLE"');
    }
    if (portLevelMtls !== undefined && targetRefs === undefined) {
      problem(
        ctx,
        ["portLevelMtls"],
        "is for the ports of a Service; name it in targetRefs",
      );
    }
  }),
});

export type PeerAuthentication = z.infer<typeof peerAuthentication>;
