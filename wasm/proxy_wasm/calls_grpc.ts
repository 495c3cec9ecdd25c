/** Host calls by which a guest makes gRPC calls and holds gRPC streams. */
import { Fields } from "../../core/fields.ts";
import { grpcTimeout } from "../../core/grpc.ts";
import type { RequestHead } from "../../core/message.ts";
import { STATUS } from "./abi.ts";
import { viasOf } from "./calls_http.ts";
import { GrpcCall } from "./grpc_call.ts";
import { framed } from "./grpc_frames.ts";
import { PATH, requestLines } from "./headers.ts";
import type { Upstream } from "./host.ts";
import { decodePairs } from "./maps.ts";
import { latin1 } from "./memory.ts";
import { finishFields, timeoutOf } from "./own_request.ts";
import { readFields } from "./protobuf.ts";
import type { Effect, Vm } from "./vm.ts";

const GRPC_TYPE = "application/grpc";

/** Something to send, once the guest call that said it is over. */
class Say implements Effect {
  readonly #call: GrpcCall;
  readonly #bytes: Uint8Array;
  readonly #end: boolean;
  constructor(call: GrpcCall, bytes: Uint8Array, end: boolean) {
    this.#call = call;
    this.#bytes = bytes;
    this.#end = end;
  }
  run(): void {
    this.#call.say(this.#bytes, this.#end);
  }
}

class Cancel implements Effect {
  readonly #call: GrpcCall;
  constructor(call: GrpcCall) {
    this.#call = call;
  }
  run(): void {
    this.#call.forget();
  }
}

/** Where a call goes, or why it goes nowhere. */
interface Aim {
  readonly status: number;
  readonly upstream: Upstream | null;
  readonly head: RequestHead | null;
}

export function grpcCall(vm: Vm) {
  // deno-fmt-ignore
  return (to: number, toSize: number, service: number, serviceSize: number, method: number,
          methodSize: number, metadata: number, metadataSize: number, message: number,
          messageSize: number, timeoutMs: number, outId: number): number => {
    const timeout = timeoutOf(timeoutMs >>> 0);
    const aim = aimOf(vm, [to, toSize, service, serviceSize, method, methodSize, metadata, metadataSize], timeout);
    const bytes = vm.memory.copy(message, messageSize);
    if (bytes === null) return STATUS.invalidMemory;
    if (aim.head === null) return aim.status;
    const call = begin(vm, aim, timeout, false, bytes.length, outId);
    if (typeof call === "number") return call;
    vm.effects.push(new Say(call, framed(bytes), true));
    return STATUS.ok;
  };
}

export function grpcStream(vm: Vm) {
  // deno-fmt-ignore
  return (to: number, toSize: number, service: number, serviceSize: number, method: number,
          methodSize: number, metadata: number, metadataSize: number, outId: number): number => {
    const aim = aimOf(vm, [to, toSize, service, serviceSize, method, methodSize, metadata, metadataSize], 0);
    if (aim.head === null) return aim.status;
    const call = begin(vm, aim, 0, true, 0, outId);
    return typeof call === "number" ? call : STATUS.ok;
  };
}

export function grpcSend(vm: Vm) {
  return (id: number, message: number, size: number, end: number): number => {
    const bytes = vm.memory.copy(message, size);
    if (bytes === null) return STATUS.invalidMemory;
    const call = vm.calls.get(id >>> 0);
    if (!(call instanceof GrpcCall)) return STATUS.notFound;
    if (!call.streaming) return STATUS.badArgument;
    if (call.full) return STATUS.internalFailure;
    vm.effects.push(new Say(call, framed(bytes), end !== 0));
    return STATUS.ok;
  };
}

/** Nothing of it reaches the guest any more. */
export function grpcCancel(vm: Vm) {
  return (id: number): number => {
    const call = vm.calls.get(id >>> 0);
    if (!(call instanceof GrpcCall)) return STATUS.notFound;
    vm.closed(id >>> 0);
    vm.effects.push(new Cancel(call));
    return STATUS.ok;
  };
}

/** Says no more on a stream; what the other side still says arrives. A call is over with it. */
export function grpcClose(vm: Vm) {
  const cancel = grpcCancel(vm);
  return (id: number): number => {
    const call = vm.calls.get(id >>> 0);
    if (!(call instanceof GrpcCall)) return STATUS.notFound;
    if (!call.streaming) return cancel(id);
    vm.effects.push(new Say(call, new Uint8Array(0), true));
    return STATUS.ok;
  };
}

function begin(
  vm: Vm,
  { upstream, head }: Aim,
  timeoutMs: number,
  streaming: boolean,
  size: number,
  outId: number,
): GrpcCall | number {
  const { backend } = upstream!;
  const call = new GrpcCall(vm, { backend, head: head!, timeoutMs }, streaming, size);
  call.id = vm.opened(call);
  if (call.id === 0) return STATUS.internalFailure;
  if (!vm.memory.setU32(outId, call.id)) {
    vm.closed(call.id);
    return STATUS.invalidMemory;
  }
  const stream = vm.effective;
  // A conversation is the plugin's own, and goes on without the exchange that began it.
  if (stream !== null && !streaming) (stream.calls ??= new Set()).add(call);
  vm.effects.push(call);
  return call;
}

/** `parts`: pointer and size of the upstream, the service, the method and the metadata. */
function aimOf(vm: Vm, parts: readonly number[], timeoutMs: number): Aim {
  const { memory, host } = vm;
  const none = (status: number): Aim => ({ status, upstream: null, head: null });
  const to = memory.view(parts[0]!, parts[1]!);
  const name = to === null ? null : nameIn(to);
  const service = memory.text(parts[2]!, parts[3]!), method = memory.text(parts[4]!, parts[5]!);
  const pairs = memory.view(parts[6]!, parts[7]!);
  if (name === null || service === null || method === null || pairs === null) {
    return none(STATUS.invalidMemory);
  }
  const upstream = host.upstreams.get(name);
  if (upstream === undefined) {
    host.noUpstream(name);
    return none(STATUS.internalFailure);
  }
  const decoded = decodePairs(pairs);
  const lines = decoded === null ? null : requestLines(decoded);
  const path = `/${service}/${method}`;
  if (lines === null || !PATH.test(path)) return none(STATUS.internalFailure);
  const fields = new Fields(lines);
  fields.set("content-type", GRPC_TYPE);
  fields.set("te", "trailers");
  if (timeoutMs > 0) fields.set("grpc-timeout", grpcTimeout(timeoutMs));
  finishFields(fields, upstream, 0, viasOf(vm));
  // `namespace/service:port`, as a host that the mesh knows it by.
  const authority = upstream.backend.replace(/^([^/]+)\/([^:]+)/, "$2.$1");
  return {
    status: STATUS.ok,
    upstream,
    head: { method: "POST", scheme: "http", authority, path, fields },
  };
}

/** An upstream's name, or the name of a cluster in Envoy's GrpcService{envoy_grpc = 1 {cluster_name = 1}}. */
function nameIn(bytes: Uint8Array): string {
  const cluster = readFields(bytes)?.get(1) ?? null;
  const name = cluster === null ? undefined : readFields(cluster)?.get(1);
  return latin1(name ?? bytes);
}
