/** The table of kinds: one row each, from which parsing, the API, the CLI and the docs are driven. */
import { z } from "zod";
import { type AuthorizationPolicy, authorizationPolicy } from "./authorization_policy.ts";
import { DENIM_API, GATEWAY_API, GATEWAY_GROUP } from "./common.ts";
import { type FilterBinding, filterBinding } from "./filter_binding.ts";
import { type Gateway, gateway } from "./gateway.ts";
import { type GrpcRoute, grpcRoute } from "./grpc_route.ts";
import { type HttpRoute, httpRoute } from "./http_route.ts";
import { type MeshConfig, meshConfig } from "./mesh_config.ts";
import { type PeerAuthentication, peerAuthentication } from "./peer_authentication.ts";
import { type ReferenceGrant, referenceGrant } from "./reference_grant.ts";
import { type RequestAuthentication, requestAuthentication } from "./request_authentication.ts";
import { type TcpRoute, tcpRoute, type TlsRoute, tlsRoute } from "./tunnel_routes.ts";
import { type Secret, secret } from "./secret.ts";
import { type Service, service } from "./service.ts";
import { type TrafficPolicy, trafficPolicy } from "./traffic_policy.ts";

export type Resource =
  | Gateway
  | HttpRoute
  | GrpcRoute
  | TcpRoute
  | TlsRoute
  | ReferenceGrant
  | Secret
  | Service
  | TrafficPolicy
  | AuthorizationPolicy
  | FilterBinding
  | PeerAuthentication
  | RequestAuthentication
  | MeshConfig;
export type Kind = Resource["kind"];
export type ResourceOf<K extends Kind> = Extract<Resource, { kind: K }>;

export interface KindRow {
  readonly apiVersion: string;
  /** Older versions of the same shape; a document that names one is read as `apiVersion`. */
  readonly formerVersions: readonly string[];
  readonly kind: Kind;
  readonly plural: string;
  /** Other nouns the CLI and the API take, lower case. */
  readonly aliases: readonly string[];
  /** `mesh`: one resource, at `denim-system/default`. */
  readonly scope: "namespace" | "mesh";
  readonly schema: z.ZodType<Resource>;
  readonly description: string;
}

export const KINDS: readonly KindRow[] = [
  {
    apiVersion: GATEWAY_API,
    formerVersions: [`${GATEWAY_GROUP}/v1beta1`],
    kind: "Gateway",
    plural: "gateways",
    aliases: ["gateway", "gw", "gtw"],
    scope: "namespace",
    schema: gateway,
    description: "Listeners an edge proxy opens to the world",
  },
  {
    apiVersion: GATEWAY_API,
    formerVersions: [`${GATEWAY_GROUP}/v1beta1`],
    kind: "HTTPRoute",
    plural: "httproutes",
    aliases: ["httproute", "route", "routes"],
    scope: "namespace",
    schema: httpRoute,
    description: "Where requests to a Gateway or a Service go, by path, method, header and query",
  },
  {
    apiVersion: GATEWAY_API,
    formerVersions: [`${GATEWAY_GROUP}/v1alpha2`],
    kind: "GRPCRoute",
    plural: "grpcroutes",
    aliases: ["grpcroute"],
    scope: "namespace",
    schema: grpcRoute,
    description: "Where gRPC calls to a Gateway or a Service go, by service, method and header",
  },
  {
    apiVersion: GATEWAY_API,
    formerVersions: [`${GATEWAY_GROUP}/v1alpha2`],
    kind: "TCPRoute",
    plural: "tcproutes",
    aliases: ["tcproute"],
    scope: "namespace",
    schema: tcpRoute,
    description: "Where connections to a TCP listener or a Service's TCP port go, by weight",
  },
  {
    apiVersion: GATEWAY_API,
    formerVersions: [`${GATEWAY_GROUP}/v1alpha3`, `${GATEWAY_GROUP}/v1alpha2`],
    kind: "TLSRoute",
    plural: "tlsroutes",
    aliases: ["tlsroute"],
    scope: "namespace",
    schema: tlsRoute,
    description: "Where TLS connections go that pass through, by the host their client names",
  },
  {
    apiVersion: GATEWAY_API,
    formerVersions: [`${GATEWAY_GROUP}/v1beta1`],
    kind: "ReferenceGrant",
    plural: "referencegrants",
    aliases: ["referencegrant", "refgrant", "grant", "grants"],
    scope: "namespace",
    schema: referenceGrant,
    description: "A namespace's permission for routes elsewhere to name its Services",
  },
  {
    apiVersion: "v1",
    formerVersions: [],
    kind: "Secret",
    plural: "secrets",
    aliases: ["secret"],
    scope: "namespace",
    schema: secret,
    description: "A certificate for listeners of a Gateway; its key goes in and is never shown",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "Service",
    plural: "services",
    aliases: ["service", "svc"],
    scope: "namespace",
    schema: service,
    description: "A name in the mesh and the workloads or fixed addresses behind it",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "TrafficPolicy",
    plural: "trafficpolicies",
    aliases: ["trafficpolicy", "tp", "policy", "policies"],
    scope: "namespace",
    schema: trafficPolicy,
    description: "Timeouts, retries with a budget, breaker, outlier detection and load balancing",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "AuthorizationPolicy",
    plural: "authorizationpolicies",
    aliases: ["authorizationpolicy", "authz"],
    scope: "namespace",
    schema: authorizationPolicy,
    description: "Who may do what: by identity, address, token, host, port, method and path",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "FilterBinding",
    plural: "filterbindings",
    aliases: ["filterbinding", "binding", "bindings", "fb"],
    scope: "namespace",
    schema: filterBinding,
    description: "Puts a Wasm filter into the chains of a Service, a route or a Gateway",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "PeerAuthentication",
    plural: "peerauthentications",
    aliases: ["peerauthentication", "pa"],
    scope: "namespace",
    schema: peerAuthentication,
    description: "Whether callers of workloads have to come with mTLS, by port where it matters",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "RequestAuthentication",
    plural: "requestauthentications",
    aliases: ["requestauthentication", "ra", "jwt"],
    scope: "namespace",
    schema: requestAuthentication,
    description: "Whose tokens (JWT) of end users are taken, and what upstreams are told of them",
  },
  {
    apiVersion: DENIM_API,
    formerVersions: [],
    kind: "MeshConfig",
    plural: "meshconfigs",
    aliases: ["meshconfig", "mesh"],
    scope: "mesh",
    schema: meshConfig,
    description: "Traffic settings of the whole mesh, where no policy says otherwise",
  },
];

/** The row a noun names, whatever its case: kind, plural or alias. */
export function findKind(noun: string): KindRow | null {
  const wanted = noun.toLowerCase();
  return KINDS.find((row) =>
    row.kind.toLowerCase() === wanted || row.plural === wanted || row.aliases.includes(wanted)
  ) ?? null;
}

/** JSON Schema (2020-12) of a kind as documents write it; rules that span fields are not in it. */
export function jsonSchema(kind: Kind): Record<string, unknown> {
  const row = KINDS.find((one) => one.kind === kind)!;
  return {
    ...z.toJSONSchema(row.schema, { io: "input", unrepresentable: "any" }),
    title: row.kind,
    description: row.description,
  };
}

/** The resources of one kind, in the order given. */
export function ofKind<K extends Kind>(all: readonly Resource[], kind: K): ResourceOf<K>[] {
  return all.filter((one): one is ResourceOf<K> => one.kind === kind);
}

/** What makes a resource the same one: `Kind namespace/name`. */
export function resourceId(
  resource: { kind: string; metadata: { namespace: string; name: string } },
): string {
  return `${resource.kind} ${resource.metadata.namespace}/${resource.metadata.name}`;
}
