/**
 * Attests pods by the token that Kubernetes projects into them: a JWT of the cluster, bound to the pod, made
 * for us as its audience. It says whose identity the pod may have, and nothing it asks for counts.
 */
import { decodeJwt, type JWTPayload } from "jose";
import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { formatWorkloadId } from "../../proxy/tls/mod.ts";
import { Tries } from "../ca/bad_tries.ts";
import { isWorkloadName, RESERVED_NAMESPACE } from "../ca/workload_name.ts";
import { fetchBytes } from "../jwks/fetch_json.ts";
import { IssuerKeys } from "../jwks/issuer_keys.ts";
import { JWT_LIMITS, verifyJwt } from "../jwks/verify.ts";
import type { ClusterConfig, KubernetesConfig } from "./config.ts";

export const ATTEST_LIMITS = {
  /** A token may come again while it lives, for a pod that lost its certificate; so often in a window. */
  perPod: { most: 10, windowMs: 10 * 60_000, sources: 20_000 },
  /** Bad tokens of one address. */
  bad: { most: 20, windowMs: 60_000, sources: 1024 },
  /** Longer-lived tokens are none that a kubelet projects for us; their theft would matter for too long. */
  lifeSeconds: 24 * 60 * 60,
  /** Keys in a file are read again as often: whoever changes them may not be able to tell us. */
  fileAgeMs: 10_000,
} as const;

export interface Attested {
  readonly ok: true;
  /** SPIFFE id. */
  readonly identity: string;
  /** Who it is in the cluster: `system:serviceaccount:shop:web`. */
  readonly who: string;
  /** `pod shop/web-7d9 (uid …) of https://…`, for the audit log. */
  readonly about: string;
}

export interface NotAttested {
  readonly ok: false;
  readonly code: "join.bad_token" | "join.expired" | "join.too_often" | "join.unavailable";
  readonly reason: string;
  /** What a token that was verified said, as far as it was; else "". */
  readonly about: string;
}

/** The `kubernetes.io` claim of a bound token. */
const boundSchema = z.object({
  namespace: z.string().min(1).max(63),
  serviceaccount: z.object({ name: z.string().min(1).max(253), uid: z.string().max(100) }),
  pod: z.object({ name: z.string().max(253), uid: z.string().min(1).max(100) }),
});

interface Cluster {
  readonly config: ClusterConfig;
  readonly keys: IssuerKeys;
}

export interface AttestorOptions {
  readonly config: KubernetesConfig;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class KubernetesAttestor {
  readonly #trustDomain: string;
  readonly #clock: Clock;
  readonly #clusters: ReadonlyMap<string, Cluster>;
  readonly #bad = new Tries(ATTEST_LIMITS.bad);
  readonly #perPod = new Tries(ATTEST_LIMITS.perPod);

  constructor({ config, trustDomain, clock, log }: AttestorOptions) {
    this.#trustDomain = trustDomain;
    this.#clock = clock;
    this.#clusters = new Map(config.clusters.map((cluster) => {
      const { issuer, keysFile } = cluster;
      const maxAgeMs = keysFile === undefined ? {} : { maxAgeMs: ATTEST_LIMITS.fileAgeMs };
      const keys = new IssuerKeys({
        issuer,
        load: () => loadKeys(cluster),
        clock,
        log,
        ...maxAgeMs,
      });
      return [issuer, { config: cluster, keys }];
    }));
  }

  /** Judges the token a proxy without a certificate came with; `source` is the address it came from. */
  async attest(jwt: string, source: string): Promise<Attested | NotAttested> {
    const nowMs = this.#clock.nowMs();
    if (this.#bad.isOver(source, nowMs)) {
      return refuse("join.too_often", "too many bad tokens came from this address");
    }
    const judged = await this.#judge(jwt, nowMs);
    if (!judged.ok && judged.code === "join.bad_token") this.#bad.count(source, nowMs);
    return judged;
  }

  async #judge(jwt: string, nowMs: number): Promise<Attested | NotAttested> {
    const cluster = this.#clusters.get(issuerOf(jwt));
    if (cluster === undefined) {
      return refuse("join.bad_token", "its issuer is no configured cluster");
    }
    const { config, keys } = cluster;
    const { issuer, audience } = config;
    const verified = await verifyJwt(jwt, { issuer, audience: [audience], keys, nowMs });
    if (!verified.ok) {
      const codes = {
        bad: "join.bad_token",
        expired: "join.expired",
        unavailable: "join.unavailable",
      };
      return refuse(codes[verified.code] as NotAttested["code"], verified.reason);
    }
    return this.#bound(verified.claims, config, nowMs);
  }

  #bound(
    claims: JWTPayload & { readonly exp: number; readonly sub: string },
    { issuer, identity, namespaces }: ClusterConfig,
    nowMs: number,
  ): Attested | NotAttested {
    const read = boundSchema.safeParse(claims["kubernetes.io"]);
    if (!read.success) {
      return refuse(
        "join.bad_token",
        "it is bound to no pod; a projected volume makes one that is",
      );
    }
    const { namespace, serviceaccount, pod } = read.data;
    const who = `system:serviceaccount:${namespace}:${serviceaccount.name}`;
    const about = `pod ${namespace}/${pod.name} (uid ${pod.uid}) of ${issuer}`;
    if (claims.sub !== who) {
      return refuse(
        "join.bad_token",
        "its subject is not the service account it is bound to",
        about,
      );
    }
    if (claims.exp - (claims.iat ?? -Infinity) > ATTEST_LIMITS.lifeSeconds) {
      return refuse("join.bad_token", "it lives longer than a day", about);
    }
    if (namespaces !== undefined && !namespaces.includes(namespace)) {
      return refuse("join.bad_token", `pods of namespace "${namespace}" may not join`, about);
    }
    const given = identity.replaceAll("{namespace}", namespace)
      .replaceAll("{serviceAccount}", serviceaccount.name).split("/");
    const [own, service] = [given[0]!, given.slice(1).join("/")];
    if (!isWorkloadName(own, service) || own === RESERVED_NAMESPACE) {
      return refuse("join.bad_token", `no proxy may have the name "${own}/${service}"`, about);
    }
    const source = `${issuer} ${pod.uid}`;
    if (this.#perPod.isOver(source, nowMs)) {
      return refuse("join.too_often", "this pod joined too often within a short time", about);
    }
    this.#perPod.count(source, nowMs);
    const id = formatWorkloadId({ trustDomain: this.#trustDomain, namespace: own, service });
    return { ok: true, identity: id, who, about };
  }
}

/** What an unverified token says of its issuer: it only chooses who has to verify it. */
function issuerOf(jwt: string): string {
  if (jwt.length > JWT_LIMITS.chars) return "";
  try {
    return decodeJwt(jwt).iss ?? "";
  } catch {
    return "";
  }
}

async function loadKeys(
  { keysFile, keysUrl, caFile, tokenFile }: ClusterConfig,
): Promise<Uint8Array> {
  if (keysFile !== undefined) return await Deno.readFile(keysFile);
  const caPem = caFile === undefined ? undefined : await Deno.readTextFile(caFile);
  // Read each time: the kubelet replaces it.
  const token = tokenFile === undefined ? null : (await Deno.readTextFile(tokenFile)).trim();
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  return await fetchBytes(keysUrl!, { caPem, headers });
}

function refuse(code: NotAttested["code"], reason: string, about = ""): NotAttested {
  return { ok: false, code, reason: `The token is not accepted: ${reason}`, about };
}
