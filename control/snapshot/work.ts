/** What one run of the builder reads and collects: the mesh, the workloads, and what routes turned out to need. */
import type { Service } from "../schema/service.ts";
import type {
  BackendSpec,
  EndpointSpec,
  ModuleRef,
  NodeRef,
  TrustSpec,
} from "../schema/snapshot.ts";
import { compare, type Mesh } from "./mesh.ts";
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

/** A module the marketplace admitted (or, standalone, a file that was read). */
export interface AdmittedModule {
  /** `publisher/name`; `file:<path>` for a file of a standalone configuration. */
  readonly name: string;
  readonly version: string;
  /** `sha256:<hex>` of the admitted artefact. */
  readonly digest: string;
  readonly bytes: number;
  readonly abi: "proxy-wasm" | "component";
  /** Phase, limits and configuration of the listing, where a binding says nothing. */
  readonly phase?: "AUTHN" | "AUTHZ" | "TRANSFORM" | "STATS";
  readonly fuelPerCall?: number;
  readonly memoryBytes?: number;
  readonly config?: string;
}

export class Work {
  readonly mesh: Mesh;
  readonly node: NodeRef;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly trust: TrustSpec;
  readonly #workloads = new Map<string, Workload[]>();
  readonly #admitted: readonly AdmittedModule[];
  readonly #backends = new Map<string, BackendSpec>();
  readonly #modules = new Map<string, ModuleRef>();

  constructor(mesh: Mesh, input: {
    readonly node: NodeRef;
    readonly nodeLabels?: Readonly<Record<string, string>>;
    readonly workloads: readonly Workload[];
    readonly modules: readonly AdmittedModule[];
    readonly trust: TrustSpec;
  }) {
    this.mesh = mesh;
    this.node = input.node;
    this.nodeLabels = input.nodeLabels ?? {};
    this.trust = input.trust;
    this.#admitted = input.modules;
    for (const workload of input.workloads) {
      const key = `${workload.namespace}/${workload.service}`;
      const list = this.#workloads.get(key);
      if (list === undefined) this.#workloads.set(key, [workload]);
      else list.push(workload);
    }
  }

  /** By name, so that the order of discovery does not change the content. */
  get backends(): Record<string, BackendSpec> {
    return Object.fromEntries([...this.#backends].sort(([a], [b]) => compare(a, b)));
  }

  get modules(): ModuleRef[] {
    return [...this.#modules.values()].sort((a, b) => compare(a.digest, b.digest));
  }

  /** The backend of a Service's port, put into the snapshot when it is asked for; its name. */
  backend(service: Service, port: number): string {
    const { namespace, name } = service.metadata;
    const backend = `${namespace}/${name}:${port}`;
    if (!this.#backends.has(backend)) {
      const levels = [...serviceLevels(this.mesh, service), meshLevel(this.mesh)];
      this.add({ name: backend, endpoints: this.#endpoints(service), ...backendSettings(levels) });
    }
    return backend;
  }

  add(backend: BackendSpec): void {
    this.#backends.set(backend.name, backend);
  }

  /** The newest admitted module that fits a reference; null for none. */
  module(
    ref: {
      readonly name?: string | undefined;
      readonly version?: string | undefined;
      readonly digest?: string | undefined;
      readonly file?: string | undefined;
    },
  ): AdmittedModule | null {
    return findModule(this.#admitted, ref);
  }

  /** Has the proxies fetch it. */
  needs(module: AdmittedModule): void {
    const { digest, bytes, abi } = module;
    this.#modules.set(digest, { digest, bytes, abi });
  }

  #endpoints(service: Service): EndpointSpec[] {
    const { namespace, name } = service.metadata;
    const { endpoints, from = name, selector = {} } = service.spec;
    if (endpoints !== undefined) return [...new Set(endpoints)].map((address) => ({ address }));
    const found = new Map<string, EndpointSpec>();
    for (const one of this.#workloads.get(`${namespace}/${from}`) ?? []) {
      if (!one.healthy || !selects(selector, one.labels)) continue;
      found.set(one.inbound, { address: one.inbound, identity: one.identity });
    }
    return [...found.values()].sort((a, b) => compare(a.address, b.address));
  }
}

export function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

export function findModule<
  M extends { readonly name: string; readonly version: string; readonly digest: string },
>(
  known: readonly M[],
  ref: {
    readonly name?: string | undefined;
    readonly version?: string | undefined;
    readonly digest?: string | undefined;
    readonly file?: string | undefined;
  },
): M | null {
  const { name = ref.file === undefined ? undefined : `file:${ref.file}`, version, digest } = ref;
  if (digest !== undefined) return known.find((one) => one.digest === digest) ?? null;
  let best: M | null = null;
  for (const one of known) {
    if (one.name !== name || (version !== undefined && one.version !== version)) continue;
    if (best === null || compareVersions(one.version, best.version) > 0) best = one;
  }
  return best;
}

/** Semantic Versioning 2.0.0 precedence (section 11). */
export function compareVersions(a: string, b: string): number {
  const [coreA, preA] = split(a), [coreB, preB] = split(b);
  const core = compareParts(coreA, coreB);
  if (core !== 0) return core;
  if (preA === null || preB === null) return Number(preB !== null) - Number(preA !== null);
  return compareParts(preA, preB);
}

function split(version: string): [core: string[], pre: string[] | null] {
  const plain = version.split("+")[0]!;
  const dash = plain.indexOf("-");
  if (dash < 0) return [plain.split("."), null];
  return [plain.slice(0, dash).split("."), plain.slice(dash + 1).split(".")];
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const left = a[i], right = b[i];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const numeric = /^\d+$/.test(left), numericToo = /^\d+$/.test(right);
    if (numeric !== numericToo) return numeric ? -1 : 1; // numbers stand before words
    const order = numeric ? Number(left) - Number(right) : compare(left, right);
    if (order !== 0) return order;
  }
  return 0;
}
