/** Resources, workloads and modules in; what one proxy is to do out. Pure: the same input, the same version. */
import type { Resource } from "../schema/kinds.ts";
import { ofKind } from "../schema/kinds.ts";
import type { ListenerSpec, NodeRef, Snapshot, TrustSpec } from "../schema/snapshot.ts";
import { contentHash } from "./hash.ts";
import { gatewayListeners, sidecarListeners } from "./listeners.ts";
import type { FetchedKeys } from "./jwt.ts";
import type { AdmittedModule } from "./modules.ts";
import { Shared, Work, type Workload } from "./work.ts";

export interface BuildInput {
  /** All resources of the mesh, as {@link parseDocuments} gave them. */
  readonly resources: readonly Resource[];
  readonly workloads: readonly Workload[];
  readonly modules: readonly AdmittedModule[];
  readonly trust: TrustSpec;
  /** Key sets of issuers, by jwksUri, as far as they have been fetched. */
  readonly fetchedKeys?: FetchedKeys;
  readonly node: NodeRef;
  /** Labels of the node's workload: Services that select on them bind filters to it. */
  readonly nodeLabels?: Readonly<Record<string, string>>;
}

/** The whole configuration of one node. Input that passed the checks always gives one. */
export function buildSnapshot(input: BuildInput): Snapshot {
  return snapshotOf(new Work(new Shared(input), input.node, input.nodeLabels));
}

/** Many nodes over the same resources: what they have in common is built once. */
export function buildSnapshots(
  shared: Omit<BuildInput, "node" | "nodeLabels">,
  nodes: readonly Pick<BuildInput, "node" | "nodeLabels">[],
): Snapshot[] {
  const common = new Shared(shared);
  return nodes.map((one) => snapshotOf(new Work(common, one.node, one.nodeLabels)));
}

export interface StandaloneOptions {
  /** `namespace/name` or name of the Gateway to run, where there are several. */
  readonly gateway?: string;
  readonly modules?: readonly AdmittedModule[];
}

/** One gateway from resources alone, with no control plane: Services have fixed endpoints. */
export function buildStandalone(
  resources: readonly Resource[],
  options: StandaloneOptions = {},
): Snapshot {
  const gateways = ofKind(resources, "Gateway");
  const { gateway: asked } = options;
  const fitting = gateways.filter(({ metadata: { namespace, name } }) =>
    asked === undefined || asked === name || asked === `${namespace}/${name}`
  );
  if (fitting.length !== 1) {
    const names = gateways.map((one) => `"${one.metadata.name}"`).join(", ") || "none";
    throw new Error(
      `Cannot tell which Gateway to run: ${
        asked === undefined ? "" : `"${asked}" was asked for, `
      }` +
        `the configuration has ${names}; wanted exactly one`,
    );
  }
  const { namespace, name } = fitting[0]!.metadata;
  return buildSnapshot({
    resources,
    workloads: [],
    modules: options.modules ?? [],
    trust: { domain: "", bundle: [] },
    node: { kind: "gateway", namespace, name },
  });
}

/** Files a standalone configuration wants read and admitted before it is built. */
export function moduleFiles(resources: readonly Resource[]): string[] {
  const files = ofKind(resources, "FilterBinding").map((one) => one.spec.module.file);
  return [...new Set(files.filter((file) => file !== undefined))];
}

function snapshotOf(work: Work): Snapshot {
  const listeners = listenersOf(work); // asks for what the others hold
  const { sharedConfigs } = work;
  const content = {
    node: work.node,
    listeners,
    backends: work.backends,
    modules: work.modules,
    ...(sharedConfigs === null ? {} : { shared: sharedConfigs }),
    trust: work.shared.trust,
  };
  return { version: contentHash(content, work.shared.texts), ...content };
}

/** A Gateway that was deleted leaves its proxies with no listeners, and not without an answer. */
function listenersOf(work: Work): ListenerSpec[] {
  const { node, mesh } = work;
  const gateway = mesh.gateways.get(`${node.namespace}/${node.name}`);
  const listeners = node.kind === "sidecar"
    ? sidecarListeners(work)
    : gateway === undefined
    ? []
    : gatewayListeners(work, gateway);
  const { keepsEscapedSlashes, via } = mesh;
  if (!keepsEscapedSlashes && via === undefined) return listeners;
  return listeners.map((listener) => ({
    ...listener,
    ...(keepsEscapedSlashes ? { escapedSlashes: "keep" as const } : {}),
    ...(via === undefined ? {} : { via }),
  }));
}
