/** What the pages (and the API) may read of a running control plane; nothing here changes anything. */
import type { Listing } from "./market/types.ts";
import type { Resource } from "./schema/kinds.ts";
import type { FilterReport, ProxyReport, RouteReport } from "./schema/protocol.ts";
import type { NodeRef } from "./schema/snapshot.ts";

/** All methods are cheap and synchronous: they read what the process holds in memory. */
export interface ControlView {
  readonly trustDomain: string;
  /** Milliseconds since the epoch by the control plane's clock. */
  nowMs(): number;
  /** Newest revision, 0 before the first apply. */
  revision(): number;
  /** Every resource as it is now, by kind, namespace and name. */
  resources(): readonly Resource[];
  services(): readonly ServiceView[];
  /** Connected proxies and those that went away a short while ago. */
  proxies(): readonly ProxyView[];
  /** Newest first; at most `limit`. */
  revisions(limit: number): readonly RevisionView[];
  /** One row for each binding in each proxy that reported it. */
  filters(): readonly FilterView[];
  /** The newest version of every admitted filter, by name. */
  listings(): readonly Listing[];
  /** All versions of `publisher/name`, newest first. */
  versions(name: string): readonly Listing[];
  /** By digest of the admitted artefact or of the original. */
  listingOf(digest: string): Listing | null;
}

/** A Service resource with the workloads (or fixed addresses) it stands for. */
export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly number[];
  /** The name its workloads register under, and the labels they must have. */
  readonly from: string;
  readonly selector: Readonly<Record<string, string>>;
  /** Fixed addresses; null when it selects workloads. */
  readonly addresses: readonly string[] | null;
  readonly workloads: readonly WorkloadView[];
}

/** One registered workload behind a Service. */
export interface WorkloadView {
  readonly identity: string;
  /** `host:port` of its sidecar's inbound listener. */
  readonly inbound: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether its sidecar says its application answers. */
  readonly healthy: boolean;
  /** False: kept for a grace period after its connection went, or after a restart of the control plane. */
  readonly connected: boolean;
}

/** `in force`: acked. `behind`: sent, no answer yet. `refused`: nacked. `away`: no connection. */
export type ProxyState = "in force" | "behind" | "refused" | "away";

export interface ProxyView {
  /** Unique among all proxies, stable over its reconnects. */
  readonly id: string;
  readonly node: NodeRef;
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `host:port`, null for gateways. */
  readonly inbound: string | null;
  readonly admin: string;
  readonly pid: number;
  readonly state: ProxyState;
  /** When its present (or last) connection began, and when it was last heard. */
  readonly connectedMs: number;
  readonly heardMs: number;
  /** Snapshot the control plane wants there, and the one in force there; null for none. */
  readonly target: string | null;
  readonly version: string | null;
  /** Revision the snapshot in force was built from; null when unknown. */
  readonly revision: number | null;
  /** Why it refused the last snapshot, "" when it did not. */
  readonly reason: string;
  /** Its newest report; null before the first. */
  readonly report: ProxyReport | null;
  /** Totals it reported now and then over the last minute, oldest first: for rates. */
  readonly samples: readonly Sample[];
}

/** Totals at one moment; rates are differences of two. A restart of the proxy empties the list. */
export interface Sample {
  readonly atMs: number;
  readonly routes: readonly RouteReport[];
}

export interface RevisionView {
  readonly revision: number;
  readonly parent: number;
  readonly author: string;
  readonly message: string;
  readonly createdMs: number;
  readonly changes: readonly ChangeView[];
}

export type ChangeAction = "created" | "updated" | "deleted";

export interface ChangeView {
  readonly action: ChangeAction;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** One FilterBinding as it runs in one proxy. */
export interface FilterView {
  /** ProxyView.id and its node. */
  readonly proxy: string;
  readonly node: NodeRef;
  readonly report: FilterReport;
  /** Of the marketplace; null when it does not know the digest. */
  readonly listing: Listing | null;
}

/** The trust domain's authority. */
export interface AuthorityView {
  readonly trustDomain: string;
  /** What signs leafs: `local` for a key in the control plane's folder. */
  readonly signer: string;
  readonly leafTtlMs: number;
  /** Certificates proxies may believe. */
  readonly roots: readonly CertificateView[];
  /** What issues now: the certificate that signs leafs first, then those above it, without the root. */
  readonly issuers: readonly CertificateView[];
  /** Other trust domains whose workloads are believed. */
  readonly federation: readonly FederationView[];
}

/** How another trust domain stands. */
export interface FederationView {
  readonly trustDomain: string;
  readonly profile: "https_web" | "https_spiffe";
  readonly url: string;
  readonly certificates: number;
  readonly sequence: number | null;
  /** When its bundle was fetched last (Unix milliseconds); null: not since the start. */
  readonly fetchedMs: number | null;
  /** Why the last try failed, "" when it did not. */
  readonly reason: string;
}

/** An authority's certificate, for people. */
export interface CertificateView {
  readonly subject: string;
  /** Upper-case hexadecimal, without leading zeros. */
  readonly serial: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256 of the whole certificate, lower-case hexadecimal. */
  readonly sha256: string;
}
