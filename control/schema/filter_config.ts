/**
 * The wire configuration of every filter kind: what the control plane writes into `FilterSpec.config`
 * and what the factory of that kind reads. Types only; durations are milliseconds, fields are concrete
 * (defaults were filled in when the snapshot was built, see `control/schema/defaults.ts`).
 *
 * A configuration that is read as it is written has its type beside what reads it, in the filter's `config.ts`.
 * Here are those that leave out what reading fills in.
 *
 * Chain order, outermost first (responses pass it backwards):
 *
 *   timeout → jwt → authz → wasm AUTHN → wasm AUTHZ → redirect → request-headers → rewrite
 *     → response-headers
 *     → wasm TRANSFORM → wasm STATS → [the backend's own: headers, rewrite → breaker → retry
 *     → timeout of one attempt]
 *
 * `control/snapshot/filters.ts` says why.
 */

import type { TestKey } from "../../filters/authz/config.ts";
import type { BreakerConfig } from "../../filters/breaker/config.ts";
import type { HeadersConfig } from "../../filters/headers/config.ts";
import type { JwtRuleConfig as ReadJwtRule } from "../../filters/jwt/config.ts";
import type { PublicJwk } from "../../filters/jwt/keys.ts";
import type { RedirectConfig } from "../../filters/redirect/config.ts";
import type { RetryConfig } from "../../filters/retry/config.ts";
import type { RewriteConfig } from "../../filters/rewrite/config.ts";
import type { GivenPermissions } from "../../wasm/permissions.ts";

/** Kind of a link, config by kind. A kind of another name is refused by the registry. */
export interface FilterConfigs {
  readonly "timeout": TimeoutConfig;
  readonly "authz": AuthzConfig;
  readonly "retry": RetryConfig;
  readonly "breaker": BreakerConfig;
  readonly "request-headers": HeadersConfig;
  readonly "response-headers": HeadersConfig;
  readonly "redirect": RedirectConfig;
  readonly "rewrite": RewriteConfig;
  readonly "jwt": JwtConfig;
  readonly "mtls": MtlsConfig;
  readonly "ext-authz": ExtAuthzConfig;
  readonly "wasm": WasmConfig;
}

export type FilterKind = keyof FilterConfigs;

/** A `FilterSpec` whose kind and config belong together. */
export type TypedFilterSpec = {
  readonly [K in FilterKind]: {
    readonly kind: K;
    readonly name: string;
    readonly config: FilterConfigs[K];
  };
}[FilterKind];

export interface TimeoutConfig {
  /** The whole exchange, retries included; 0: no limit. */
  readonly requestMs: number;
  /** One attempt; 0: no limit. Never above requestMs unless that is 0. */
  readonly backendRequestMs: number;
  /**
   * True: requestMs limits the wait for the response to begin, so long transfers and event streams
   * live; what default timeouts use. Absent or false: it covers the last byte, as an explicit
   * `timeouts.request` of HTTPRoute does.
   */
  readonly untilHead?: boolean;
  /**
   * True: for gRPC requests `grpc-timeout` holds too, an explicit limit runs from the end of the
   * request, and one of untilHead not at all. Set for backends of protocol HTTP2 and GRPC.
   */
  readonly grpc?: boolean;
}

/** RequestAuthentications of one place, which judge together. */
export interface JwtConfig {
  readonly policies: readonly JwtPolicyConfig[];
}

export interface JwtPolicyConfig {
  /** `namespace/name`. */
  readonly name: string;
  /** Requests without a token that one of its rules takes get 401. */
  readonly required: boolean;
  readonly rules: readonly JwtRuleConfig[];
}

export interface JwtRuleConfig extends Omit<ReadJwtRule, "keys"> {
  /** Public keys (RFC 7517). Absent: they could not be fetched yet, and its tokens get 503. */
  readonly keys?: readonly PublicJwk[];
}

/** A question to an external authorizer, and what its answer may change. */
export interface ExtAuthzConfig {
  readonly provider: string;
  /** Requests that one of these matches are asked about. */
  readonly policies: readonly Pick<AuthzPolicy, "name" | "rules">[];
  readonly place: Pick<AuthzConfig, "trustDomain" | "ports" | "l4">;
  /** The provider's backend, which is in the snapshot too. */
  readonly backend: string;
  /** Lines every question has. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  readonly timeoutMs: number;
  /** Where no answer can be had: true lets requests pass, false answers with statusOnError. */
  readonly failOpen: boolean;
  readonly statusOnError: number;
  /** Absent: the provider does not see bodies. */
  readonly body?: {
    readonly maxBytes: number;
    readonly allowPartial: boolean;
    readonly packAsBytes: boolean;
  };
  /** Where requests come to. */
  readonly destination: { readonly principal: string; readonly service: string };
  /** Absent: the provider speaks gRPC. Names in lower case, with `*` at the beginning or the end of some. */
  readonly http?: {
    readonly pathPrefix: string;
    readonly include: readonly string[];
    readonly toUpstream: readonly string[];
    readonly toClientOnAllow: readonly string[];
    /** Absent: all. */
    readonly toClientOnDeny?: readonly string[];
  };
}

/** Refuses requests of peers that have proved nothing; there is nothing to say about it. */
export type MtlsConfig = Readonly<Record<string, never>>;

export type WasmPhase = "AUTHN" | "AUTHZ" | "TRANSFORM" | "STATS";

export interface WasmConfig {
  readonly abi: "proxy-wasm" | "component";
  /** `sha256:<hex>` of the admitted artefact; also in `Snapshot.modules`. */
  readonly digest: string;
  /** `publisher/name` of the listing, "" when bound by digest alone. */
  readonly module: string;
  readonly version: string;
  /** What the module gets as its configuration: JSON text, "" for none. */
  readonly config: string;
  /** Fuel one call into the module may burn. */
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
  /** Other limits (wasm/limits.ts), where they are not the defaults. */
  readonly limits?: Readonly<Record<string, number>>;
  /** What a trap does to the exchange: `open` goes on without the filter, `closed` answers 503. */
  readonly failMode: "open" | "closed";
  /** Capabilities granted by the binding; a host call outside them is refused. */
  readonly capabilities: readonly string[];
  /** Names it may touch; what is absent is `*`. */
  readonly permissions?: GivenPermissions;
  /** Whom the module may send requests of its own; absent: nobody. */
  readonly upstreams?: readonly WasmUpstream[];
  /** A module for connections that are no HTTP; absent: for HTTP. */
  readonly network?: true;
  /** Absent: `envoy`. */
  readonly compat?: "envoy" | "higress";
  /** Shared data and queues are shared with bindings of the namespace that have the same; absent: with none. */
  readonly vmId?: string;
  readonly phases: readonly WasmPhase[];
}

export interface WasmUpstream {
  /** What the module may call it; where two upstreams share a name, the first is meant. */
  readonly names: readonly string[];
  /** In the snapshot too. */
  readonly backend: string;
  /** Lines every request there gets, flat. */
  readonly fields: readonly string[];
}

/** AuthorizationPolicies of one place, which decide together. */
export interface AuthzConfig {
  /** The mesh's own: namespaces and service accounts of others are strangers. */
  readonly trustDomain: string;
  /** What the place counts as for rules with ports: Service ports and those of the workload, or a listener's. */
  readonly ports: readonly number[];
  /** It takes connections that are carried as they are: nothing but their two ends is known. */
  readonly l4?: true;
  readonly policies: readonly AuthzPolicy[];
}

/** CUSTOM is not among the actions: it is a filter of its own, `ext-authz`, before this one. */
export interface AuthzPolicy {
  /** `namespace/name` */
  readonly name: string;
  readonly action: "ALLOW" | "DENY" | "AUDIT";
  readonly dryRun?: true;
  readonly rules: readonly AuthzRule[];
}

/** Fits one of `from`, one of `to` and all of `when`; an empty list fits everything. */
export interface AuthzRule {
  /** Each: tests that must all hold. */
  readonly from: readonly (readonly AuthzTest[])[];
  readonly to: readonly (readonly AuthzTest[])[];
  readonly when: readonly AuthzTest[];
}

/**
 * One value must fit; with `not`, none may. `*` is anything but nothing, `a*` and `*a` begin and end so. Names
 * of headers and hosts are lower case, identities complete or with a star, networks CIDR or an address.
 */
export interface AuthzTest {
  readonly key: TestKey;
  readonly not?: true;
  /** Of a header. */
  readonly name?: string;
  /** Of a claim: names of members, outermost first. */
  readonly path?: readonly string[];
  readonly values: readonly string[];
}
