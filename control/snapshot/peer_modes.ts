/**
 * Which mTLS mode holds at a port of a workload. The most specific policy that says something decides; of two
 * with the same reach, the older:
 *
 *   portLevelMtls of the Service → mtls of the Service → both of the Service it is a subset of (`from`)
 *     → its namespace → the mesh (namespace denim-system) → STRICT
 *
 * A workload's main port is one place, whatever Services lead there: of what they say the strictest holds.
 * Callers and the workload's own sidecar are told by the same rule.
 */
import { fullName } from "../schema/common.ts";
import { ofKind, type Resource } from "../schema/kinds.ts";
import {
  MESH_NAMESPACE,
  type PeerAuthentication,
  type PeerAuthenticationMode,
} from "../schema/peer_authentication.ts";
import type { Service, ServicePort } from "../schema/service.ts";
import { compare, isMainPort, type Mesh, older } from "./mesh.ts";

/** What is asked about: a workload as it registered. */
export interface Behind {
  readonly namespace: string;
  /** The name it registered under. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const STRICTNESS: readonly PeerAuthenticationMode[] = ["DISABLE", "PERMISSIVE", "STRICT"];

export class PeerModes {
  readonly #mesh: Mesh;
  /** By Service, `namespace/name`. */
  readonly #ofService = new Map<string, PeerAuthentication[]>();
  readonly #ofNamespace = new Map<string, PeerAuthenticationMode>();
  readonly #default: PeerAuthenticationMode;
  /** Main ports' modes, by workload. */
  readonly #main = new Map<string, PeerAuthenticationMode>();
  /** No policy says DISABLE: then callers need not ask. */
  readonly allWithMtls: boolean;

  constructor(resources: readonly Resource[], mesh: Mesh) {
    this.#mesh = mesh;
    const policies = ofKind(resources, "PeerAuthentication").sort(older);
    for (const policy of policies) this.#add(policy);
    this.#default = this.#ofNamespace.get(MESH_NAMESPACE) ?? "STRICT";
    this.allWithMtls = !policies.some(({ spec: { mtls, portLevelMtls = {} } }) =>
      [mtls, ...Object.values(portLevelMtls)].some((one) => one?.mode === "DISABLE")
    );
  }

  /** The mode at a Service's port of a workload that stands behind it. */
  at(workload: Behind, service: Service, port: ServicePort): PeerAuthenticationMode {
    return isMainPort(port) ? this.main(workload) : this.#said(service, port);
  }

  /** The mode at the workload's main port. */
  main(workload: Behind): PeerAuthenticationMode {
    const { namespace, name, labels } = workload;
    const key = JSON.stringify([namespace, name, Object.entries(labels).sort()]);
    let mode = this.#main.get(key);
    if (mode === undefined) this.#main.set(key, mode = this.#mainOf(workload));
    return mode;
  }

  #mainOf(workload: Behind): PeerAuthenticationMode {
    const said = servicesBehind(this.#mesh, workload).flatMap((name) => {
      const service = this.#mesh.services.get(name);
      return service === undefined
        ? []
        : service.spec.ports.filter(isMainPort).map((port) => this.#said(service, port));
    });
    if (said.length === 0) return this.#ofNamespace.get(workload.namespace) ?? this.#default;
    return said.reduce((a, b) => STRICTNESS.indexOf(a) >= STRICTNESS.indexOf(b) ? a : b);
  }

  #said(service: Service, port: ServicePort): PeerAuthenticationMode {
    const { namespace, name } = service.metadata;
    const { from = name } = service.spec;
    const names = from === name ? [name] : [name, from];
    for (const one of names) {
      const policies = this.#ofService.get(`${namespace}/${one}`) ?? [];
      const modes = [
        ...policies.map(({ spec }) => spec.portLevelMtls?.[String(port.port)]?.mode),
        ...policies.map(({ spec }) => spec.mtls?.mode),
      ];
      const first = modes.find((mode) => mode !== undefined);
      if (first !== undefined) return first;
    }
    return this.#ofNamespace.get(namespace) ?? this.#default;
  }

  #add(policy: PeerAuthentication): void {
    const { metadata: { namespace }, spec: { targetRefs, mtls } } = policy;
    if (targetRefs === undefined) {
      if (mtls !== undefined && !this.#ofNamespace.has(namespace)) {
        this.#ofNamespace.set(namespace, mtls.mode);
      }
      return;
    }
    for (const { name } of targetRefs) {
      const key = `${namespace}/${name}`;
      const list = this.#ofService.get(key);
      if (list === undefined) this.#ofService.set(key, [policy]);
      else list.push(policy);
    }
  }
}

/** Every Service a workload stands behind, `namespace/name`; its own name even where no Service says so. */
export function servicesBehind(mesh: Mesh, { namespace, name, labels }: Behind): string[] {
  const own = `${namespace}/${name}`;
  const found = new Set([own]);
  for (const service of mesh.servicesOf(own)) {
    if (selects(service.spec.selector ?? {}, labels)) found.add(fullName(service));
    else found.delete(fullName(service));
  }
  return [...found].sort(compare);
}

export function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
