/** MeshConfig: what holds where no policy says otherwise. */
import { z } from "zod";
import { meshAuthorization } from "./authorization_policy.ts";
import { DENIM_API, singletonMetadata } from "./common.ts";
import { federation } from "./federation.ts";
import { meshFilters } from "./filter_limits.ts";
import { jwksConfig } from "./jwks_config.ts";
import { extensionProviders } from "./extension_providers.ts";
import { trafficSettings } from "./traffic_policy.ts";

export const meshConfig = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("MeshConfig"),
  metadata: singletonMetadata,
  spec: z.strictObject({
    defaults: z.strictObject(trafficSettings).optional(),
    authorization: meshAuthorization.optional(),
    /** External authorizers, for AuthorizationPolicies with the action CUSTOM. */
    extensionProviders: extensionProviders.optional(),
    paths: z.strictObject({
      /**
       * What all proxies do with `%2F` and `%5C` in a path: `reject` (the default) or `keep`, for upstreams
       * that want them. Servers disagree about what they mean, which is how access rules are slipped past.
       */
      escapedSlashes: z.enum(["reject", "keep"]).optional(),
    }).optional(),
    /** What holds for all Wasm filters. */
    filters: meshFilters.optional(),
    federation: federation.optional(),
    jwks: jwksConfig.optional(),
    via: z.strictObject({
      /** What proxies call themselves in the Via field: a token, `denim` when left out. */
      name: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, {
        error: "Want a name of letters, digits and hyphens, at most 64 characters",
      }).optional(),
      /** Whether responses get a Via too (default true). Requests always do: loops are found by it. */
      responses: z.boolean().optional(),
    }).optional(),
  }),
});

export type MeshConfig = z.infer<typeof meshConfig>;
