/** Host calls that decide what becomes of an exchange. They only note it: effects follow when the guest has returned. */
import { Fields } from "../../core/fields.ts";
import { isGrpc } from "../../core/grpc.ts";
import { WASM_LIMITS } from "../limits.ts";
import { STATUS, STREAM } from "./abi.ts";
import { replyLines } from "./headers.ts";
import { decodePairs } from "./maps.ts";
import type { Effect, Vm } from "./vm.ts";

export function sendLocalResponse(vm: Vm) {
  // deno-fmt-ignore
  return (status: number, details: number, detailsSize: number, body: number, bodySize: number,
          headers: number, headersSize: number, grpcStatus: number): number => {
    const stream = vm.effective;
    if (stream === null || stream.exchange === null || stream.network) return STATUS.badArgument;
    const { memory } = vm;
    const why = memory.text(details, detailsSize);
    const bytes = memory.copy(body, bodySize);
    const pairs = memory.view(headers, headersSize);
    if (why === null || bytes === null || pairs === null) return STATUS.invalidMemory;
    const decoded = decodePairs(pairs);
    const lines = decoded === null ? null : replyLines(decoded);
    if (lines === null || status < 200 || status > 599) return STATUS.badArgument;
    if (bytes.length > WASM_LIMITS.localBodyBytes) return STATUS.badArgument;
    // A second response is ignored with "ok": SDKs panic on anything else, and the first one stands.
    if (stream.replied) return STATUS.ok;
    stream.replied = true;
    const fields = new Fields(lines);
    // Some guests say 0, which would be a success, for "none"; the ABI's word for it is −1.
    if (grpcStatus > 0 && isGrpc(stream.exchange.request.fields)) {
      fields.set("grpc-status", String(grpcStatus));
    }
    stream.local = { status, details: why, fields, body: bytes };
    vm.touch(stream);
    return STATUS.ok;
  };
}

export function continueStream(vm: Vm) {
  return (type: number): number => {
    return fits(vm, type) ? goOn(vm, type & 1) : STATUS.badArgument;
  };
}

/** Requests and responses are directions of HTTP, downstream and upstream those of a connection. */
function fits(vm: Vm, type: number): boolean {
  return type >>> 0 <= STREAM.upstream && vm.host.network === type >= STREAM.downstream;
}

export function continueRequest(vm: Vm) {
  return (): number => goOn(vm, STREAM.request);
}

export function continueResponse(vm: Vm) {
  return (): number => goOn(vm, STREAM.response);
}

function goOn(vm: Vm, direction: number): number {
  const stream = vm.effective;
  if (stream === null || stream.exchange === null) return STATUS.badArgument;
  stream.half(direction).continued = true;
  vm.touch(stream);
  return STATUS.ok;
}

export function closeStream(vm: Vm) {
  return (type: number): number => {
    const stream = vm.effective;
    if (stream === null || stream.exchange === null || !fits(vm, type)) return STATUS.badArgument;
    stream.reset = true;
    vm.touch(stream);
    return STATUS.ok;
  };
}

/** Routes are chosen once, before filters run; there is no cache to clear. */
export function clearRouteCache(_vm: Vm) {
  return (): number => STATUS.ok;
}

export function setEffectiveContext(vm: Vm) {
  return (id: number): number => {
    if (id === vm.rootId) vm.effective = null;
    else {
      const stream = vm.contexts.get(id >>> 0);
      if (stream === undefined) return STATUS.badArgument;
      vm.effective = stream;
    }
    return STATUS.ok;
  };
}

class RootDone implements Effect {
  readonly #vm: Vm;
  constructor(vm: Vm) {
    this.#vm = vm;
  }
  run(): void {
    this.#vm.host.rootDone(this.#vm);
  }
}

export function done(vm: Vm) {
  return (): number => {
    const stream = vm.effective;
    if (stream === null) {
      if (!vm.finishing) return STATUS.notFound;
      vm.effects.push(new RootDone(vm));
      return STATUS.ok;
    }
    if (!stream.finishing) return STATUS.notFound;
    vm.touch(stream);
    return STATUS.ok;
  };
}
