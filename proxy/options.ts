/** What `denim proxy` was asked to do, as the command line says it: plain data, checked by its parser. */
import type { LogLevel } from "../core/log.ts";
import type { H2Limits } from "./h2/limits.ts";
import type { ListenerLimits } from "./listener_limits.ts";
import type { OverloadLimits } from "./overload.ts";

/** A place to bind; port 0 takes a free one. */
export interface Bind {
  readonly host: string;
  readonly port: number;
}

/** Of a proxy's own HTTP: a port, or a Unix socket by its path. */
export type AdminPlace = Bind | { readonly unix: string };

interface CommonOptions {
  /** Where the proxy's own HTTP (readiness, metrics, configuration in force) listens. */
  readonly admin: AdminPlace;
  /** Written, whole, when the proxy is ready: the same JSON line as on standard output. */
  readonly readyFile: string | null;
  readonly accessLog: boolean;
  /** Its lines say what each Wasm filter cost the exchange. */
  readonly accessLogFilters?: boolean;
  readonly logLevel: LogLevel;
  /** How long SIGTERM lets running exchanges go on. */
  readonly drainMs: number;
  /** Other limits than the defaults, by name. */
  readonly limits?: Partial<ListenerLimits>;
  readonly h2?: Partial<H2Limits>;
  readonly overload?: Partial<OverloadLimits>;
  /** Descriptors the system allows the process, where it cannot be read. */
  readonly descriptors?: number;
  /** Name servers, each an `address:port`; empty: those of the system. */
  readonly dns?: readonly string[];
  /** Listeners may share their ports with another proxy process: the next version, or a worker. */
  readonly reusePort?: boolean;
  /** Set by the supervisor that started this process; null without one. */
  readonly supervised?: SupervisedOptions | null;
}

/** What a supervisor hands to its workers. */
export interface SupervisedOptions {
  /** Number of this worker; worker 0 speaks for the workload. */
  readonly worker: number;
  /** The supervisor's own admin address: where people look. */
  readonly admin: string;
  /** Bound sockets by listener name. */
  readonly sockets: ReadonlyMap<string, { fd: number; host: string; port: number }>;
}

/** How a proxy finds its control plane and proves who it is. */
export interface ControlOptions {
  readonly control: Bind;
  /** PEM file with the certificates that may vouch for the control plane at the first connection. */
  readonly trustBundleFile: string;
  /** Wanted only while the state folder holds no identity in date. */
  readonly joinToken:
    | { readonly token: string }
    | { readonly file: string }
    /** A token that the platform keeps fresh in a file; good for joining again as well. */
    | { readonly jwtFile: string }
    | null;
  readonly namespace: string;
  /** Folder for the last good snapshot, modules and identity. */
  readonly state: string;
}

/** A local port for clients that speak neither HTTP nor CONNECT. */
export interface UpstreamOptions {
  /** `name:port` of the Service, as the workload would dial it. */
  readonly authority: string;
  readonly bind: Bind;
}

/** The name of the listener that stands for an upstream. */
export function upstreamListener(authority: string): string {
  return `upstream ${authority}`;
}

/** The proxy beside one workload. */
export interface SidecarOptions extends CommonOptions, ControlOptions {
  readonly mode: "sidecar";
  /** Name the workload registers under. */
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where the workload itself listens, in plaintext. */
  readonly app: Bind;
  /** Where it listens for Service ports with a targetPort, by that; others are at `app`'s host. */
  readonly appPorts: ReadonlyMap<number, Bind>;
  /** Local ports that lead to a Service port of protocol TCP or TLS. */
  readonly upstreams: readonly UpstreamOptions[];
  readonly inbound: Bind;
  readonly outbound: Bind;
  /** `host:port` other sidecars are told, when it is not where `inbound` binds. */
  readonly advertise: string | null;
}

/** An edge gateway: its listeners come from the Gateway resource. */
export interface GatewayOptions extends CommonOptions, ControlOptions {
  readonly mode: "gateway";
  readonly gateway: string;
  readonly listenAddress: string;
}

/** One proxy from one YAML file of the same kinds, without a control plane. */
export interface StandaloneOptions extends CommonOptions {
  readonly mode: "standalone";
  readonly config: string;
  readonly listenAddress: string;
}

export type ProxyOptions = SidecarOptions | GatewayOptions | StandaloneOptions;
