/**
 * The one place that turns a fault, or an answer of a filter's own, into a response the client's
 * protocol has a word for. gRPC looks at no HTTP status: its answers are 200 with a status of gRPC's.
 */
import type { FilterContext, Verdict } from "../core/filter.ts";
import { type Fault, type FaultCode, FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import {
  DEADLINE_EXCEEDED,
  grpcMessage,
  grpcOfHttp,
  isGrpc,
  RESOURCE_EXHAUSTED,
  UNAVAILABLE,
} from "../core/grpc.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { ExchangeState } from "./exchange_state.ts";

/** Overload is left at the earliest after about a second. */
const RETRY_AFTER_S = "1";

/** Where gRPC has a better word for a fault than for its HTTP status. */
const GRPC_STATUS: Partial<Record<FaultCode, number>> = {
  "timeout.request": DEADLINE_EXCEEDED,
  "timeout.backend": DEADLINE_EXCEEDED,
  "timeout.deadline": DEADLINE_EXCEEDED,
  "proxy.buffer_full": RESOURCE_EXHAUSTED,
  "proxy.response_buffer_full": RESOURCE_EXHAUSTED,
  "route.no_backend": UNAVAILABLE, // Gateway API, GRPCRoute backendRefs
};

const encoder = new TextEncoder();

/** Answers with the fault's status, its code in `denim-fault`, and one sentence a person can act on. */
export function localReply(ctx: FilterContext, fault: Fault): Verdict {
  const fields = new Fields([
    "content-type",
    "text/plain; charset=utf-8",
    "denim-fault",
    fault.code,
  ]);
  if (fault === FAULTS["proxy.overloaded"]) fields.append("retry-after", RETRY_AFTER_S);
  if (fault.status === 401) fields.append("www-authenticate", challenge(fault));
  if (isGrpc(ctx.request.fields)) fields.append("grpc-status", String(grpcOfFault(fault)));
  return ctx.respond(fault.status, fields, encoder.encode(`${sentence(fault)}\n`));
}

/** A response as it is sent; without a body its head is all of it. */
export interface Reply {
  readonly head: ResponseHead;
  readonly body: Uint8Array | undefined;
}

/** What a client gets for an answer of ours; `fields` become the response's. */
export function replyTo(
  request: RequestHead,
  status: number,
  fields: Fields,
  body: Uint8Array | undefined,
): Reply {
  if (!isGrpc(request.fields)) {
    if (body !== undefined) fields.set("content-length", String(body.length));
    return { head: { status, fields }, body };
  }
  fields.set("content-type", "application/grpc");
  fields.remove("content-length");
  if (!fields.has("grpc-status")) fields.append("grpc-status", String(grpcOfHttp(status)));
  if (body !== undefined && !fields.has("grpc-message")) {
    fields.append("grpc-message", grpcMessage(body));
  }
  return { head: { status: 200, fields }, body: undefined };
}

/**
 * Ends a gRPC response that has begun, with trailers that say why. False: it can only be cut, being no
 * gRPC, or having said how long it is, or having ended.
 */
export function lateReply(x: ExchangeState, fault: Fault): boolean {
  const { request, response, ending } = x;
  if (response === null || ending !== null || !isGrpc(request.fields)) return false;
  if (!isGrpc(response.fields) || response.fields.has("content-length")) return false;
  x.ending = new Fields([
    "grpc-status",
    String(grpcOfFault(fault)),
    "grpc-message",
    grpcMessage(encoder.encode(sentence(fault))),
    "denim-fault",
    fault.code,
  ]);
  x.downstream.trailers(x.ending);
  return true;
}

/** RFC 6750 3: who sent no token is told that one is wanted, who sent a bad one what is wrong with it. */
function challenge(fault: Fault): string {
  return fault === FAULTS["jwt.missing"]
    ? 'Bearer realm="mesh"'
    : `Bearer error="invalid_token", error_description="${fault.detail}"`;
}

function grpcOfFault(fault: Fault): number {
  return GRPC_STATUS[fault.code as FaultCode] ?? grpcOfHttp(fault.status);
}

function sentence(fault: Fault): string {
  return `${fault.detail} (${fault.code})`;
}
