/** Which RequestAuthentications hold in one place, as the one link of its chain they come to. */
import type { PublicJwk } from "../../filters/jwt/keys.ts";
import { ALGORITHM_NAMES } from "../../filters/jwt/algorithms.ts";
import { durationMs, fullName } from "../schema/common.ts";
import { JWT_DEFAULTS } from "../schema/defaults.ts";
import type { JwtConfig, JwtPolicyConfig, JwtRuleConfig } from "../schema/filter_config.ts";
import { ofKind, type Resource } from "../schema/kinds.ts";
import { MESH_NAMESPACE } from "../schema/peer_authentication.ts";
import {
  inlineKeys,
  type JwtRule,
  type RequestAuthentication,
} from "../schema/request_authentication.ts";
import type { FilterLink } from "./filters.ts";
import { older } from "./mesh.ts";
import type { Work } from "./work.ts";

/** Key sets the control plane has fetched, by jwksUri. */
export type FetchedKeys = ReadonlyMap<string, readonly PublicJwk[]>;

export class RequestAuthentications {
  /** Oldest first. */
  readonly #all: readonly RequestAuthentication[];
  readonly #fetched: FetchedKeys;
  /** Made once for all nodes: reading keys is not cheap. */
  readonly #configs = new Map<RequestAuthentication, JwtPolicyConfig>();

  constructor(resources: readonly Resource[], fetched: FetchedKeys) {
    this.#all = ofKind(resources, "RequestAuthentication").sort(older);
    this.#fetched = fetched;
  }

  /** Inbound of a workload: those of the mesh, of its namespace, and of every Service it stands behind. */
  ofWorkload(work: Work, namespace: string, services: readonly string[]): FilterLink[] {
    return this.#link(
      work,
      this.#all.filter((one) => {
        const home = one.metadata.namespace;
        const { targetRefs } = one.spec;
        if (targetRefs === undefined) return home === MESH_NAMESPACE || home === namespace;
        return targetRefs.some((ref) =>
          ref.kind === "Service" && services.includes(`${home}/${ref.name}`)
        );
      }),
    );
  }

  /** Those that name the Gateway: what comes there is on its way to sidecars, which judge by their own. */
  ofGateway(work: Work, gateway: string): FilterLink[] {
    return this.#link(
      work,
      this.#all.filter((one) =>
        one.spec.targetRefs?.some((ref) =>
          ref.kind === "Gateway" && `${one.metadata.namespace}/${ref.name}` === gateway
        ) ?? false
      ),
    );
  }

  #link(work: Work, policies: readonly RequestAuthentication[]): FilterLink[] {
    if (policies.length === 0) return [];
    const config: JwtConfig = { policies: policies.map((one) => this.#policy(one)) };
    return [{
      kind: "jwt",
      name: policies.map(fullName).join(","),
      shared: work.share(config),
    }];
  }

  #policy(policy: RequestAuthentication): JwtPolicyConfig {
    let config = this.#configs.get(policy);
    if (config === undefined) {
      const { required = false, jwtRules } = policy.spec;
      const rules = jwtRules.map((rule) => this.#rule(rule));
      this.#configs.set(policy, config = { name: fullName(policy), required, rules });
    }
    return config;
  }

  #rule(rule: JwtRule): JwtRuleConfig {
    const keys = rule.jwksUri === undefined
      ? inlineKeys(rule.jwks)?.keys ?? [] // validation made sure that it is a key set
      : this.#fetched.get(rule.jwksUri);
    return {
      issuer: rule.issuer,
      audiences: rule.audiences,
      algorithms: rule.algorithms ?? ALGORITHM_NAMES,
      source: rule.jwksUri ?? "",
      ...(keys === undefined ? {} : { keys }),
      clockSkewMs: rule.clockSkew === undefined
        ? JWT_DEFAULTS.clockSkewMs
        : durationMs(rule.clockSkew),
      fromHeaders: (rule.fromHeaders ?? []).map(({ name, prefix = "" }) => ({
        name: name.toLowerCase(),
        prefix,
      })),
      fromParams: rule.fromParams ?? [],
      fromCookies: rule.fromCookies ?? [],
      claimHeaders: (rule.outputClaimToHeaders ?? []).map(({ header, claim }) => ({
        header: header.toLowerCase(),
        claim: claim.split("."),
      })),
      payloadHeader: rule.outputPayloadToHeader?.toLowerCase() ?? "",
      forward: rule.forwardOriginalToken ?? false,
    };
  }
}
