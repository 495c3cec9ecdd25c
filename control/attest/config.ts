/** `denim control --kubernetes FILE`: clusters whose service accounts get identities, and which. */
import { z } from "zod";
import { readConfigFile, url } from "../oidc/mod.ts";

/** What proxies' tokens must be made for, unless a cluster says otherwise. */
export const DEFAULT_AUDIENCE = "denim";
const MAX_CLUSTERS = 32;

const identityRule = z.string().max(400).refine(
  (rule) =>
    /^[^/]+\/[^/]+$/.test(rule) && /^([-a-z0-9./]|\{namespace\}|\{serviceAccount\})+$/.test(rule),
  'wanted NAMESPACE/NAME made of a-z, 0-9, "-", "{namespace}" and "{serviceAccount}"',
);

const clusterSchema = z.strictObject({
  /** As the tokens say it in `iss`. */
  issuer: z.string().min(1).max(1000),
  audience: z.string().min(1).max(256).default(DEFAULT_AUDIENCE),
  /** File with the cluster's public keys, as `kubectl get --raw /openid/v1/jwks` prints them. */
  keysFile: z.string().optional(),
  /** Where they are asked for. */
  keysUrl: url.optional(),
  /** For keysUrl: PEM file of the cluster's authority, and file with the token to ask with. */
  caFile: z.string().optional(),
  tokenFile: z.string().optional(),
  /** Identity of a service account. */
  identity: identityRule.default("{namespace}/{serviceAccount}"),
  /** Namespaces of the cluster whose pods may join; default: all. */
  namespaces: z.array(z.string().max(63)).min(1).optional(),
}).refine((one) => (one.keysFile === undefined) !== (one.keysUrl === undefined), {
  error: "wants either keysFile or keysUrl",
});

export const kubernetesSchema = z.strictObject({
  clusters: z.array(clusterSchema).min(1).max(MAX_CLUSTERS),
}).refine(
  ({ clusters }) => new Set(clusters.map((one) => one.issuer)).size === clusters.length,
  { error: "names an issuer twice" },
);

export type ClusterConfig = z.infer<typeof clusterSchema>;
export type KubernetesConfig = z.infer<typeof kubernetesSchema>;

export async function readKubernetesConfig(file: string): Promise<KubernetesConfig> {
  return await readConfigFile(file, kubernetesSchema);
}
