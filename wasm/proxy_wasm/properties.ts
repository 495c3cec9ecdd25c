/** What proxy_get_property knows, encoded as Envoy does: text raw, integers 8 bytes, truth 1 byte, times int64 nanoseconds. */
import type { FilterContext } from "../../core/filter.ts";
import { encodePairs } from "./maps.ts";
import { latin1Bytes } from "./memory.ts";
import type { StreamContext } from "./context.ts";
import type { Vm } from "./vm.ts";

const encoder = new TextEncoder();

/** The value at a path, or null when there is none. */
export function getProperty(vm: Vm, path: readonly string[]): Uint8Array | null {
  const key = path.join(".");
  const plugin = Object.hasOwn(PLUGIN, key) ? PLUGIN[key] : undefined;
  if (plugin !== undefined) return plugin(vm);
  const stream = vm.effective;
  if (stream === null) return null;
  const [root, name, third] = path;
  if ((name === "headers" || name === "trailers") && path.length <= 3) {
    const map = headerMap(stream, root!, name);
    if (map !== undefined) {
      if (map === null) return null;
      if (third === undefined) return encodePairs(map.lines());
      const value = map.get(third.toLowerCase());
      return value === undefined ? null : latin1Bytes(value);
    }
  }
  const { exchange } = stream;
  const known = exchange !== null && Object.hasOwn(EXCHANGE, key) ? EXCHANGE[key] : undefined;
  if (known !== undefined) return known(exchange!, stream);
  return stream.properties?.get(key) ?? null;
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
  "plugin_vm_id": () => text(""),
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
  "response.code": (x) => x.response === null ? null : int(BigInt(x.response.status)),
  "source.address": (x) => text(x.remote),
  "source.port": (x) => int(BigInt(portOf(x.remote))),
  "connection.mtls": (x) => bool(x.peer !== ""),
  "connection.uri_san_peer_certificate": (x) => x.peer === "" ? null : text(x.peer),
  "route_name": (x) => text(x.routeName),
  "xds.route_name": (x) => text(x.routeName),
  "cluster_name": (x) => text(x.backendName),
  "xds.cluster_name": (x) => text(x.backendName),
};

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
