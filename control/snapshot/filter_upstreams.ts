/** Services a Wasm filter may send requests of its own: as it may call them, and the backends they stand for. */
import { PORT_FIELD } from "../../core/message.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import type { WasmUpstream } from "../schema/filter_config.ts";
import { type Service, wireProtocol } from "../schema/service.ts";
import { missing, noPort, type Report } from "./check_words.ts";
import { type Mesh, portField } from "./mesh.ts";
import type { Work } from "./work.ts";

type Upstream = NonNullable<FilterBinding["spec"]["upstreams"]>[number];

/** What is not there, or not permitted any more, is left out: calls to it are then refused. */
export function filterUpstreams(work: Work, binding: FilterBinding): WasmUpstream[] {
  const found: WasmUpstream[] = [];
  for (const upstream of binding.spec.upstreams ?? []) {
    const service = serviceOf(work.mesh, binding, upstream);
    const port = service?.spec.ports.find((one) => one.port === upstream.port);
    if (service === undefined || port === undefined || !permitted(work.mesh, binding, upstream)) {
      continue;
    }
    const value = portField(service, port);
    found.push({
      names: namesOf(service, upstream),
      backend: work.backend(service, port.port),
      fields: value === null ? [] : [PORT_FIELD, value],
    });
  }
  return found;
}

/** Whether the Services a binding names are there, speak HTTP, and may be named. */
export function checkUpstreams(mesh: Mesh, binding: FilterBinding, report: Report): void {
  binding.spec.upstreams?.forEach((upstream, at) => {
    const path = `spec.upstreams[${at}]`;
    const service = serviceOf(mesh, binding, upstream);
    const { namespace: own } = binding.metadata;
    const namespace = upstream.namespace ?? own;
    const name = `${namespace}/${upstream.service}`;
    if (service === undefined) {
      return report(`${path}.service`, missing("Service", name, mesh.services.keys()));
    }
    if (!permitted(mesh, binding, upstream)) {
      return report(
        `${path}.namespace`,
        `is "${namespace}", which has no ReferenceGrant for FilterBindings of namespace "${own}" ` +
          `to Service "${upstream.service}"`,
      );
    }
    const port = service.spec.ports.find((one) => one.port === upstream.port);
    if (port === undefined) {
      const ports = service.spec.ports.map((one) => one.port);
      return report(`${path}.port`, noPort(name, upstream.port, ports));
    }
    if (wireProtocol(port) === "tcp") {
      report(`${path}.port`, `is ${upstream.port}, whose protocol is neither HTTP nor GRPC`);
    }
  });
}

function serviceOf(mesh: Mesh, binding: FilterBinding, upstream: Upstream): Service | undefined {
  return mesh.services.get(
    `${upstream.namespace ?? binding.metadata.namespace}/${upstream.service}`,
  );
}

function permitted(mesh: Mesh, binding: FilterBinding, upstream: Upstream): boolean {
  const { namespace } = binding.metadata;
  const to = upstream.namespace ?? namespace;
  return mesh.granted("FilterBinding", namespace, "Service", to, upstream.service);
}

/** The forms modules are written with: Denim's own, host and port, and Istio's name of a cluster. */
function namesOf(service: Service, { name, port }: Upstream): string[] {
  const { namespace, name: called } = service.metadata;
  const host = `${called}.${namespace}.svc.cluster.local`;
  return [
    ...(name === undefined ? [] : [name]),
    `${namespace}/${called}:${port}`,
    `${called}.${namespace}:${port}`,
    `${host}:${port}`,
    `outbound|${port}||${host}`,
  ];
}
