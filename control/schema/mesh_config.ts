/** MeshConfig: what holds where no policy says otherwise. */
import { z } from "zod";
import { DENIM_API, singletonMetadata } from "./common.ts";
import { trafficSettings } from "./traffic_policy.ts";

export const meshConfig = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("MeshConfig"),
  metadata: singletonMetadata,
  spec: z.strictObject({
    defaults: z.strictObject(trafficSettings).optional(),
  }),
});

export type MeshConfig = z.infer<typeof meshConfig>;
