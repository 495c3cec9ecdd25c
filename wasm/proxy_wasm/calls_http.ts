/** Host calls by which a guest asks somebody else, and looks at what came of it. */
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { WASM_LIMITS } from "../limits.ts";
import { QUOTA } from "../quota.ts";
import { STATUS } from "./abi.ts";
import { AUTHORITY, PATH, replyLines, requestLines, TOKEN } from "./headers.ts";
import type { Upstream } from "./host.ts";
import { HttpCall } from "./http_call.ts";
import { decodePairs } from "./maps.ts";
import { latin1Bytes } from "./memory.ts";
import { finishFields, timeoutOf } from "./own_request.ts";
import type { Vm } from "./vm.ts";

export function httpCall(vm: Vm) {
  // deno-fmt-ignore
  return (name: number, nameSize: number, headers: number, headersSize: number, body: number,
          bodySize: number, trailers: number, trailersSize: number, timeoutMs: number,
          outId: number): number => {
    const { memory, host } = vm;
    const to = memory.text(name, nameSize);
    const pairs = memory.view(headers, headersSize);
    const lines = pairs === null ? null : decodePairs(pairs);
    const bytes = memory.copy(body, bodySize);
    const after = memory.view(trailers, trailersSize);
    if (to === null || pairs === null || bytes === null || after === null) {
      return STATUS.invalidMemory;
    }
    const upstream = host.upstreams.get(to);
    if (upstream === undefined) {
      host.noUpstream(to);
      return STATUS.badArgument;
    }
    const head = lines === null ? null : headOf(vm, lines, upstream, bytes.length);
    const last = decodePairs(after);
    const trailing = last === null ? null : replyLines(last);
    if (head === null || trailing === null) return STATUS.badArgument;
    if (!vm.may(QUOTA.sideCalls)) return STATUS.internalFailure;
    const stream = vm.effective;
    const call = new HttpCall(vm, stream, {
      backend: upstream.backend,
      head,
      body: bytes,
      ...(trailing.length === 0 ? {} : { trailers: new Fields(trailing) }),
      timeoutMs: timeoutOf(timeoutMs >>> 0),
      maxBytes: WASM_LIMITS.callAnswerBytes,
    });
    call.id = vm.opened(call);
    if (call.id === 0) return STATUS.internalFailure;
    if (!memory.setU32(outId, call.id)) {
      vm.closed(call.id);
      return STATUS.invalidMemory;
    }
    if (stream !== null) (stream.calls ??= new Set()).add(call);
    vm.effects.push(call);
    return STATUS.ok;
  };
}

/** What the last call came to: there is something only in a callback that tells of its end. */
export function getStatus(vm: Vm) {
  return (outCode: number, outPointer: number, outSize: number): number => {
    const { code, message } = vm.answer;
    if (!vm.memory.setU32(outCode, code)) return STATUS.invalidMemory;
    return vm.memory.give(latin1Bytes(message), outPointer, outSize);
  };
}

/** Null: something a request needs is missing or malformed. */
function headOf(
  vm: Vm,
  lines: readonly string[],
  upstream: Upstream,
  length: number,
): RequestHead | null {
  const method = valueOf(lines, ":method"), path = valueOf(lines, ":path");
  // Envoy wants the field, be it empty; a backend that looks at it wants its own name.
  const asked = valueOf(lines, ":authority") ?? valueOf(lines, "host");
  const authority = asked === "" ? serviceOf(upstream.backend) : asked;
  if (method === undefined || path === undefined || authority === undefined) return null;
  if (!TOKEN.test(method) || !PATH.test(path) || !AUTHORITY.test(authority)) return null;
  if (method === "CONNECT") return null; // would ask for a tunnel
  const free = requestLines(lines);
  if (free === null) return null;
  const fields = new Fields(free);
  finishFields(fields, upstream, length, viasOf(vm));
  const scheme = valueOf(lines, ":scheme") === "https" ? "https" : "http";
  return { method, scheme, authority: authority.toLowerCase(), path, fields };
}

/** "auth.default" of the backend "default/auth:80". */
function serviceOf(backend: string): string {
  const slash = backend.indexOf("/"), colon = backend.lastIndexOf(":");
  return `${backend.slice(slash + 1, colon)}.${backend.slice(0, slash)}`;
}

/** The way of the exchange a call is made for; null: it is made for none. */
export function viasOf(vm: Vm): readonly string[] | null {
  return vm.effective?.exchange?.request.fields.all("via") ?? null;
}

function valueOf(lines: readonly string[], name: string): string | undefined {
  for (let i = 0; i < lines.length; i += 2) {
    if (lines[i]!.toLowerCase() === name) return lines[i + 1]!;
  }
  return undefined;
}
