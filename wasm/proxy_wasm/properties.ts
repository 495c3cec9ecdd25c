/** What proxy_get_property knows, encoded as Envoy does: text raw, integers 8 bytes, truth 1 byte, times int64 nanoseconds. */
import type { FilterContext } from "../../core/filter.ts";
import type { Fields } from "../../core/fields.ts";
import { grpcStatus } from "../../core/grpc.ts";
import type { HeaderMap } from "./headers.ts";
import { encodePairs } from "./maps.ts";
import { latin1Bytes } from "./memory.ts";
import type { Half, StreamContext } from "./context.ts";
import { responseFlags } from "./response_flags.ts";
import type { Vm } from "./vm.ts";

const encoder = new TextEncoder();

/** The value at a path, whose segments are parted by dots in `key`; null when there is none. */
export function getProperty(vm: Vm, path: readonly string[], key: string): Uint8Array | null {
  const plugin = Object.hasOwn(PLUGIN, key) ? PLUGIN[key] : undefined;
  if (plugin !== undefined) return plugin(vm);
  const stream = vm.effective;
  if (stream === null) return null;
  const [root, name, third] = path;
  if ((name === "headers" || name === "trailers") && path.length <= 3) {
    const map = headerMap(stream, root!, name);
    if (map !== undefined) {
      if (map === null) return null;
      const { read } = vm.host.permits;
      if (third === undefined) return encodePairs(read.visible(map.lines()));
      const value = read.allows(third.toLowerCase()) ? map.get(third.toLowerCase()) : undefined;
      return value === undefined ? null : latin1Bytes(value);
    }
  }
  const { exchange } = stream;
  const known = exchange !== null && Object.hasOwn(EXCHANGE, key) ? EXCHANGE[key] : undefined;
  return known === undefined ? null : known(exchange!, stream);
}

function headerMap(stream: StreamContext, root: string, name: string) {
  if (root === "request") {
    return name === "headers" ? stream.requestHeaders : stream.requestTrailers;
  }
  if (root === "response") return name === "headers" ? stream.responseMap : stream.responseTrailers;
  return undefined;
}

const PLUGIN: Readonly<Record<string, (vm: Vm) => Uint8Array>> = {
  "plugin_name": (vm) => text(vm.host.name),
  "plugin_root_id": (vm) => text(vm.host.rootName),
  "plugin_vm_id": (vm) => text(vm.host.vmId),
};

type Read = (exchange: FilterContext, stream: StreamContext) => Uint8Array | null;

const EXCHANGE: Readonly<Record<string, Read>> = {
  "request.path": (x) => latin1Bytes(x.request.path),
  "request.url_path": (x) => latin1Bytes(beforeQuery(x.request.path)),
  "request.query": (x) => latin1Bytes(queryOf(x.request.path)),
  "request.host": (x) => latin1Bytes(x.request.authority),
  "request.scheme": (x) => latin1Bytes(x.request.scheme),
  "request.protocol": (x) =>
    x.request.version === undefined ? null : text(`HTTP/${x.request.version}`),
  "request.method": (x) => latin1Bytes(x.request.method),
  "request.referer": (x) => header(x, "referer"),
  "request.useragent": (x) => header(x, "user-agent"),
  "request.id": (x) => header(x, "x-request-id"),
  "request.time": (_x, stream) => int(nanoseconds(stream.startedMs)),
  "request.duration": (_x, stream) =>
    int(nanoseconds(stream.vm.host.clock.nowMs() - stream.startedMs)),
  "request.size": (x, stream) => int(BigInt(bodySize(x.request.fields, stream.request))),
  "request.total_size": (x, stream) =>
    int(BigInt(headSize(stream.requestHeaders) + bodySize(x.request.fields, stream.request))),
  "response.size": (x, stream) =>
    x.response === null ? null : int(BigInt(bodySize(x.response.fields, stream.response))),
  "response.total_size": (x, stream) => {
    const head = stream.responseMap;
    if (x.response === null || head === null) return null;
    return int(BigInt(headSize(head) + bodySize(x.response.fields, stream.response)));
  },
  "response.code_details": (x) =>
    x.response === null && x.facts?.fault == null
      ? null
      : text(x.facts?.fault?.code ?? "via_upstream"),
  "response.flags": (x) => int(BigInt(responseFlags(x.facts?.fault ?? null))),
  "response.grpc_status": (x, stream) => {
    const ending = stream.responseTrailers?.fields ?? x.facts?.ending ?? x.response?.fields ?? null;
    const status = ending === null ? -1 : grpcStatus(ending);
    return status < 0 ? null : int(BigInt(status));
  },
  "response.code": (x) => x.response === null ? null : int(BigInt(x.response.status)),
  "source.address": (x) => text(x.remote),
  "source.port": (x) => int(BigInt(portOf(x.remote))),
  "destination.address": (x) => addressOf(x.facts?.local),
  "destination.port": (x) => portNumber(x.facts?.local),
  "upstream.address": (x) => addressOf(x.facts?.endpoint),
  "upstream.port": (x) => portNumber(x.facts?.endpoint),
  "upstream.transport_failure_reason": (x) =>
    x.facts?.fault?.source === "upstream" ? text(x.facts.fault.detail) : null,
  "connection.requested_server_name": (x) =>
    x.facts === undefined || x.facts.servername === "" ? null : text(x.facts.servername),
  "connection.termination_details": (x) => x.facts?.fault == null ? null : text(x.facts.fault.code),
  "connection.mtls": (x) => bool(x.peer !== ""),
  "connection.uri_san_peer_certificate": (x) => x.peer === "" ? null : text(x.peer),
  "route_name": (x) => text(x.routeName),
  "xds.route_name": (x) => text(x.routeName),
  "cluster_name": (x) => text(x.backendName),
  "xds.cluster_name": (x) => text(x.backendName),
  "listener_direction": direction,
  "xds.listener_direction": direction,
  "listener_name": (_x, { place }) => place === null ? null : text(place.listener),
  "xds.listener_name": (_x, { place }) => place === null ? null : text(place.listener),
  "node.id": (_x, { place }) => place === null ? null : text(place.node),
  "xds.node.id": (_x, { place }) => place === null ? null : text(place.node),
  "node.cluster": cluster,
  "xds.node.cluster": cluster,
};

/** Envoy's TrafficDirection. */
const INBOUND = 1n, OUTBOUND = 2n;

function direction(_exchange: FilterContext, { place }: StreamContext): Uint8Array | null {
  return place === null ? null : int(place.direction === "inbound" ? INBOUND : OUTBOUND);
}

/** The workload a proxy is for, `name.namespace`, as Istio calls a node's cluster. */
function cluster(_exchange: FilterContext, { place }: StreamContext): Uint8Array | null {
  if (place === null) return null;
  const [, namespace, name] = place.node.split("/");
  return text(`${name}.${namespace}`);
}

/** What has come so far; before a filter that looks at bodies has seen any, what the head promises. */
function bodySize(fields: Fields, half: Half): number {
  return half.seen > 0 ? half.seen : Number(fields.get("content-length") ?? 0) || 0;
}

function headSize(map: HeaderMap): number {
  let size = 0;
  for (const line of map.lines()) size += line.length;
  return size;
}

function addressOf(address: string | undefined): Uint8Array | null {
  return address === undefined || address === "" ? null : text(address);
}

function portNumber(address: string | undefined): Uint8Array | null {
  return address === undefined || address === "" ? null : int(BigInt(portOf(address)));
}

function header(exchange: FilterContext, name: string): Uint8Array | null {
  const value = exchange.request.fields.get(name);
  return value === undefined ? null : latin1Bytes(value);
}

function text(value: string): Uint8Array {
  return encoder.encode(value);
}

function int(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return bytes;
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.trunc(ms)) * 1_000_000n;
}

function bool(value: boolean): Uint8Array {
  return new Uint8Array([value ? 1 : 0]);
}

function beforeQuery(path: string): string {
  const at = path.indexOf("?");
  return at < 0 ? path : path.slice(0, at);
}

function queryOf(path: string): string {
  const at = path.indexOf("?");
  return at < 0 ? "" : path.slice(at + 1);
}

function portOf(remote: string): number {
  return Number(remote.slice(remote.lastIndexOf(":") + 1)) || 0;
}
