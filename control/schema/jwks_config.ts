/** `MeshConfig.spec.jwks`: where the control plane may fetch key sets that is not the public Internet. */
import { z } from "zod";
import { network, preciseHostname } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

export const jwksConfig = z.strictObject({
  /** Hosts that may have private addresses, and may be asked by http. Never link-local ones by that. */
  allowedHosts: z.array(preciseHostname).max(LIMITS.jwksPlaces, {
    error: `holds more than ${LIMITS.jwksPlaces} hosts`,
  }).optional(),
  /** Networks any host of a jwksUri may be in, by http too. */
  allowedNetworks: z.array(network).max(LIMITS.jwksPlaces, {
    error: `holds more than ${LIMITS.jwksPlaces} networks`,
  }).optional(),
});

export type JwksConfig = z.infer<typeof jwksConfig>;
