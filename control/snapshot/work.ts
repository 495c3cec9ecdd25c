/** What one run of the builder reads and collects: the mesh, the workloads, and what routes turned out to need. */
import { type Service, wireProtocol } from "../schema/service.ts";
import type {
  BackendSpec,
  EndpointSpec,
  HostSpec,
  ModuleRef,
  NodeRef,
  TrustSpec,
} from "../schema/snapshot.ts";
import type { Resource } from "../schema/kinds.ts";
import type { AuthorizationPolicy } from "../schema/authorization_policy.ts";
import type { AuthzConfig, AuthzPolicy, JwtConfig } from "../schema/filter_config.ts";
import { canonicalJson, contentHash, type KnownTexts } from "./hash.ts";
import { backendName, compare, Mesh, portOf } from "./mesh.ts";
import { type AdmittedModule, findModule, type ModuleQuery } from "./modules.ts";
import { type FetchedKeys, RequestAuthentications } from "./jwt.ts";
import { PeerModes, selects } from "./peer_modes.ts";
import { backendSettings, meshLevel, serviceLevels } from "./settings.ts";

/** A workload as its sidecar registered it. */
export interface Workload {
  readonly namespace: string;
  /** The name it registered under. */
  readonly service: string;
  /** `host:port` of its sidecar's inbound listener. */
  readonly inbound: string;
  readonly labels: Readonly<Record<string, string>>;
  /** SPIFFE id its sidecar proves. */
  readonly identity: string;
  readonly healthy: boolean;
}

/** A configuration as it stands in snapshots. */
interface SharedConfig {
  readonly name: string;
  readonly config: AuthzConfig | JwtConfig;
}

/** A policy on the wire, and whether what it decides depends on the port. */
export interface MadePolicy {
  readonly spec: AuthzPolicy;
  readonly byPort: boolean;
}

/** What all nodes of one mesh have in common; built once for many snapshots. */
export class Shared {
  readonly mesh: Mesh;
  readonly peerModes: PeerModes;
  readonly authentications: RequestAuthentications;
  readonly trust: TrustSpec;
  readonly admitted: readonly AdmittedModule[];
  /** Canonical JSON of {@link Outbound} parts. */
  readonly texts: KnownTexts = new Map();
  readonly #workloads = new Map<string, Workload[]>();
  readonly #outbound = new Map<string, Outbound>();
  readonly #authz = new Map<AuthorizationPolicy, MadePolicy>();
  /** By what is in them: places with the same policies share one configuration. */
  readonly #configs = new Map<string, SharedConfig>();

  constructor(input: {
    readonly resources: readonly Resource[];
    readonly workloads: readonly Workload[];
    readonly modules: readonly AdmittedModule[];
    readonly trust: TrustSpec;
    readonly fetchedKeys?: FetchedKeys;
  }) {
    this.mesh = new Mesh(input.resources);
    this.peerModes = new PeerModes(input.resources, this.mesh);
    this.authentications = new RequestAuthentications(
      input.resources,
      input.fetchedKeys ?? new Map(),
    );
    this.trust = input.trust;
    this.admitted = input.modules;
    for (const workload of input.workloads) {
      const key = `${workload.namespace}/${workload.service}`;
      const list = this.#workloads.get(key);
      if (list === undefined) this.#workloads.set(key, [workload]);
      else list.push(workload);
    }
  }

  workloads(service: string): readonly Workload[] {
    return this.#workloads.get(service) ?? [];
  }

  /** Made once for all places. */
  authzPolicy(
    policy: AuthorizationPolicy,
    make: (policy: AuthorizationPolicy) => MadePolicy,
  ): MadePolicy {
    let made = this.#authz.get(policy);
    if (made === undefined) this.#authz.set(policy, made = make(policy));
    return made;
  }

  /** The one object for all configurations that say the same. */
  config(config: AuthzConfig | JwtConfig): SharedConfig {
    const names = config.policies.map(({ name }) => name);
    const place = "ports" in config ? [config.ports, config.l4 ?? false] : "jwt";
    const key = JSON.stringify([place, names]);
    let known = this.#configs.get(key);
    if (known === undefined) {
      this.texts.set(config, canonicalJson(config));
      const name = contentHash(config, this.texts).slice(0, 32);
      this.#configs.set(key, known = { name, config });
    }
    return known;
  }

  /** What a sidecar sends out depends on its namespace only, so that namespaces share it. */
  outbound(namespace: string, make: () => Outbound): Outbound {
    let part = this.#outbound.get(namespace);
    if (part === undefined) {
      part = make();
      this.#outbound.set(namespace, part);
      for (const one of [part.hosts, ...part.backends.values()]) {
        this.texts.set(one, canonicalJson(one));
      }
    }
    return part;
  }
}

/** The outbound hosts of a namespace and what they need. */
export interface Outbound {
  readonly hosts: readonly HostSpec[];
  readonly backends: ReadonlyMap<string, BackendSpec>;
  readonly modules: ReadonlyMap<string, ModuleRef>;
}

/** One node's snapshot in the making. */
export class Work {
  readonly mesh: Mesh;
  readonly node: NodeRef;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly shared: Shared;
  readonly #backends = new Map<string, BackendSpec>();
  readonly #modules = new Map<string, ModuleRef>();
  readonly #shared = new Map<string, SharedConfig["config"]>();

  constructor(shared: Shared, node: NodeRef, nodeLabels: Readonly<Record<string, string>> = {}) {
    this.mesh = shared.mesh;
    this.shared = shared;
    this.node = node;
    this.nodeLabels = nodeLabels;
  }

  /**
   * Everything routes asked for so far, to be shared with other nodes: in order, so that each of those has
   * little to sort.
   */
  outbound(hosts: readonly HostSpec[]): Outbound {
    return { hosts, backends: new Map(inOrder(this.#backends)), modules: this.#modules };
  }

  adopt(part: Outbound): void {
    for (const [name, backend] of part.backends) this.#backends.set(name, backend);
    for (const [digest, module] of part.modules) this.#modules.set(digest, module);
  }

  /** By name, so that the order of discovery does not change the content. */
  get backends(): Record<string, BackendSpec> {
    return Object.fromEntries(inOrder(this.#backends));
  }

  get modules(): ModuleRef[] {
    return [...this.#modules.values()].sort((a, b) => compare(a.digest, b.digest));
  }

  /** The backend of a Service's port, put into the snapshot when it is asked for; its name. */
  backend(service: Service, port: number): string {
    const name = backendName(service, port);
    if (!this.#backends.has(name)) {
      const levels = [...serviceLevels(this.mesh, service), meshLevel(this.mesh)];
      const endpoints = this.#endpoints(service, port);
      const protocol = wireProtocol(portOf(service, port));
      const spoken = protocol === undefined ? {} : { protocol };
      this.add({ name, endpoints, ...spoken, ...backendSettings(levels) });
    }
    return name;
  }

  add(backend: BackendSpec): void {
    this.#backends.set(backend.name, backend);
  }

  /** The newest admitted module that fits a reference; null for none. */
  module(ref: ModuleQuery): AdmittedModule | null {
    return findModule(this.shared.admitted, ref);
  }

  /** Puts a configuration into the snapshot, once; its name there. */
  share(config: AuthzConfig | JwtConfig): string {
    const known = this.shared.config(config);
    this.#shared.set(known.name, known.config);
    return known.name;
  }

  /** Null: nothing is shared. */
  get sharedConfigs(): Record<string, unknown> | null {
    if (this.#shared.size === 0) return null;
    return Object.fromEntries(inOrder(this.#shared));
  }

  /** Has the proxies fetch it. */
  needs(module: AdmittedModule): void {
    const { digest, bytes, abi } = module;
    this.#modules.set(digest, { digest, bytes, abi });
  }

  /** A sidecar is spoken to with mTLS wherever it takes it. */
  #endpoint(workload: Workload, service: Service, port: number): EndpointSpec {
    const { inbound: address, identity, namespace, service: name, labels } = workload;
    const { peerModes } = this.shared;
    if (peerModes.allWithMtls) return { address, identity };
    const mode = peerModes.at({ namespace, name, labels }, service, portOf(service, port));
    return mode === "DISABLE" ? { address, sidecar: true } : { address, identity };
  }

  #endpoints(service: Service, port: number): EndpointSpec[] {
    const { namespace, name } = service.metadata;
    const { endpoints, from = name, selector = {}, identity } = service.spec;
    if (endpoints !== undefined) {
      const proven = identity === undefined ? {} : { identity };
      return [...new Set(endpoints)].map((address) => ({ address, ...proven }));
    }
    const found = new Map<string, EndpointSpec>();
    for (const one of this.shared.workloads(`${namespace}/${from}`)) {
      if (!one.healthy || !selects(selector, one.labels)) continue;
      found.set(one.inbound, this.#endpoint(one, service, port));
    }
    return [...found.values()].sort((a, b) => compare(a.address, b.address));
  }
}

function inOrder<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => compare(a, b));
}
