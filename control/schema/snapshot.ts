/**
 * What a proxy is told: plain JSON, complete and consistent, built by the control plane (or from one
 * YAML file) and swapped in whole. Types only, so that a proxy that imports this loads nothing else.
 */

/** One immutable configuration for one node. `version` is the hash of everything else in it. */
export interface Snapshot {
  /** Hex SHA-256 over the canonical JSON of the other members: same content, same version. */
  readonly version: string;
  readonly node: NodeRef;
  readonly listeners: readonly ListenerSpec[];
  /**
   * By backend name: `namespace/service:port`. Backends of an inbound listener are the workload's own
   * ports: `app`, `app:PORT` where a Service names one; `/h2` at the end: for HTTP/2, `/tcp`: for tunnels. The
   * sidecar knows their addresses.
   */
  readonly backends: Readonly<Record<string, BackendSpec>>;
  readonly modules: readonly ModuleRef[];
  /** Configurations that filters of many routes have in common, by the name in {@link FilterSpec.shared}. */
  readonly shared?: Readonly<Record<string, unknown>>;
  readonly trust: TrustSpec;
}

export interface NodeRef {
  readonly kind: "sidecar" | "gateway";
  readonly namespace: string;
  /** The Service (sidecar) or Gateway it runs for. */
  readonly name: string;
}

/**
 * `mesh`: mTLS with our own verification, clients must prove an identity. `permissive`: that, or plaintext
 * from who proves nothing, told apart by the first byte; inbound listeners only. `edge`: TLS with the
 * listener's certificates, clients prove nothing. `none`: plaintext.
 */
export type ListenerTls = "mesh" | "permissive" | "edge" | "none";

export interface ListenerSpec {
  /** `inbound`, `outbound` or the Gateway listener's name. */
  readonly name: string;
  readonly role: "inbound" | "outbound" | "gateway";
  /** Set on gateway listeners; a sidecar's own command line says where its two listeners bind. */
  readonly port?: number;
  readonly address?: string;
  readonly tls: ListenerTls;
  /** What an `edge` listener shows. */
  readonly certificates?: readonly CertificateSpec[];
  /**
   * What its connections carry; absent: HTTP. `tcp`: each is one tunnel. `tls`: the same, to the host that
   * the client names in its TLS hello.
   */
  readonly protocol?: "tcp" | "tls";
  /** Networks whose connections begin with a PROXY protocol header. Absent: none does. */
  readonly proxyProtocol?: readonly string[];
  /** `keep`: paths with an escaped slash or backslash are routed and forwarded. Absent: they get 400. */
  readonly escapedSlashes?: "keep";
  /** How the proxy names itself in Via; absent: the defaults of {@link ViaSpec}. */
  readonly via?: ViaSpec;
  /** Names the metrics and pages use for the traffic of this listener. */
  readonly hosts: readonly HostSpec[];
}

/** A certificate without its key, which is kept apart and asked for by name: snapshots are shown and logged. */
export interface CertificateSpec {
  /** The Secret it comes from, `namespace/name`. */
  readonly name: string;
  /** Server names it is shown for: `a.b`, `*.b` (any deeper name), `*` (everyone). */
  readonly hostnames: readonly string[];
  /** PEM, leaf first. */
  readonly chain: string;
  /** `sha256:<hex>` of the public key (SubjectPublicKeyInfo). */
  readonly key: string;
}

/** The pseudonym in Via (default `denim`), and whether responses get a Via too (default: they do). */
export interface ViaSpec {
  readonly name?: string | undefined;
  readonly responses?: boolean | undefined;
}

/** Routes for some host names. `*` alone matches every host; `*.a.b` matches any deeper name. Without a port. */
export interface HostSpec {
  readonly hostnames: readonly string[];
  /** Only requests whose authority has this port (default 80 for http); absent: any port. */
  readonly port?: number;
  /**
   * Hosts of one group (one Gateway listener) stand in for each other: when nothing matches here, the
   * next less specific host of the same group is asked. Absent: nothing matches, nothing else is asked.
   */
  readonly group?: string;
  /**
   * Oldest first, then by name. The router orders their matches by the Gateway API's precedence (exact
   * path, longest prefix, method, headers, query); this order only decides between equals.
   */
  readonly routes: readonly RouteSpec[];
}

/** One rule of a route with all its matches, or an implicit route. */
export interface RouteSpec {
  /** `namespace/route/rule-index`, or `namespace/service` for the implicit route of a Service. */
  readonly name: string;
  /** OR of ANDs; empty: everything, as the prefix `/` does. */
  readonly matches: readonly MatchSpec[];
  /** Takes what asks for a tunnel (CONNECT, bare TCP) and nothing else; absent: takes everything but that. */
  readonly tunnel?: true;
  /** In chain order; built-in policies and Wasm filters alike. */
  readonly filters: readonly FilterSpec[];
  /** Empty when a filter always answers (redirect). A name that is not in `backends` answers 500 for its share. */
  readonly backends: readonly WeightedBackend[];
}

export interface WeightedBackend {
  readonly backend: string;
  readonly weight: number;
  /** Chain links after the route's own, for this backend only. */
  readonly filters: readonly FilterSpec[];
}

export interface MatchSpec {
  readonly path?: {
    readonly type: "Exact" | "PathPrefix" | "RegularExpression";
    readonly value: string;
  };
  readonly method?: string;
  readonly headers?: readonly ValueMatchSpec[];
  readonly query?: readonly ValueMatchSpec[];
  /**
   * Instead of path, method and query: a gRPC service, a method, both or neither. All routes of a host
   * have it in each of their matches, or none has.
   */
  readonly grpc?: {
    readonly type: "Exact" | "RegularExpression";
    readonly service?: string;
    readonly method?: string;
  };
}

export interface ValueMatchSpec {
  readonly name: string;
  readonly type: "Exact" | "RegularExpression";
  readonly value: string;
}

/** One link of a chain: `kind` names a factory in the filter registry. */
export interface FilterSpec {
  readonly kind: string;
  /** The policy or binding it comes from, `namespace/name`. */
  readonly name: string;
  readonly config?: unknown;
  /** In place of `config`: a member of {@link Snapshot.shared}. */
  readonly shared?: string;
}

export interface BackendSpec {
  readonly name: string;
  readonly endpoints: readonly EndpointSpec[];
  /**
   * What endpoints without an identity speak; absent: HTTP/1.1. `h2`: HTTP/2 with prior knowledge. `tcp`:
   * whatever comes through a tunnel.
   */
  readonly protocol?: "h2" | "tcp";
  readonly balancer: BalancerSpec;
  readonly connectTimeoutMs: number;
  readonly pool: PoolSpec;
  readonly outlier: OutlierSpec | null;
}

export interface BalancerSpec {
  readonly algorithm: "p2c" | "round_robin" | "least_request" | "ring_hash";
  /** ring_hash: the request field (lower case) whose value chooses the endpoint; without it: a random one. */
  readonly hashHeader?: string;
}

export interface PoolSpec {
  /** Connections to one endpoint. */
  readonly maxConnections: number;
  /** Requests that may wait for a connection to one endpoint. */
  readonly maxPending: number;
  readonly idleTimeoutMs: number;
  /** Absent: five minutes. */
  readonly maxAgeMs?: number;
  /** Connections to each endpoint that are opened before there is a request. Absent: none. */
  readonly warmUp?: number;
}

/** Passive ejection of an endpoint by its outcomes. */
export interface OutlierSpec {
  readonly consecutive5xx: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
}

export interface EndpointSpec {
  /** `ip:port` or `name:port`. */
  readonly address: string;
  /** SPIFFE id the endpoint must prove; absent: plaintext. */
  readonly identity?: string;
  /** A sidecar that takes plaintext only: it is spoken to as all sidecars are, but without TLS. */
  readonly sidecar?: true;
}

/** A module this node needs; its bytes are asked for by digest. */
export interface ModuleRef {
  /** `sha256:<hex>` of the admitted (metered) artefact. */
  readonly digest: string;
  readonly bytes: number;
  readonly abi: "proxy-wasm" | "component";
}

export interface TrustSpec {
  readonly domain: string;
  /** PEM certificates that may sign peers, roots and intermediates in use. */
  readonly bundle: readonly string[];
  /** Other trust domains, whose bundles judge names of theirs and no others. Absent: none. */
  readonly federated?: readonly { readonly domain: string; readonly bundle: readonly string[] }[];
  /** What is no longer believed before it expires; absent: nothing. */
  readonly revoked?: RevokedSpec;
}

/** At most 4096 entries together. */
export interface RevokedSpec {
  /** Upper-case hexadecimal. */
  readonly serials: readonly string[];
  /** SPIFFE ids. */
  readonly identities: readonly string[];
  /** `sha256:<hex>` of the public keys of authorities. */
  readonly keys: readonly string[];
}
