/**
 * Providers that speak gRPC: envoy.service.auth.v3.Authorization/Check, the protocol of OPA and its like. Field
 * numbers are those of envoy/service/auth/v3/{external_auth,attribute_context}.proto.
 */
import type { CallAnswer } from "../../core/calls.ts";
import type { Clock } from "../../core/clock.ts";
import { Fields } from "../../core/fields.ts";
import type { FilterContext } from "../../core/filter.ts";
import { grpcStatus, grpcTimeout } from "../../core/grpc.ts";
import type { RequestHead } from "../../core/message.ts";
import { latin1Of } from "../latin1.ts";
import { type Decision, failed, type Protocol, type Question } from "./answer.ts";
import type { ExtAuthzConfig } from "./config.ts";
import { ADD, type MutationKind, Mutations, SET, SET_ABSENT, SET_PRESENT } from "./mutations.ts";
import { isFirstLine } from "./names.ts";
import { ProtoReader, ProtoWriter } from "./protobuf.ts";

export const CHECK_PATH = "/envoy.service.auth.v3.Authorization/Check";
const NOTHING: Uint8Array = new Uint8Array(0);
/** Before every message: not compressed, and its length. */
const PREFIX_BYTES = 5;
const FORBIDDEN = 403;

export class GrpcProtocol implements Protocol {
  readonly #config: ExtAuthzConfig;
  readonly #clock: Clock;
  readonly #authority: string;

  constructor(config: ExtAuthzConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    // `namespace/service:port`, as a host that the mesh knows it by.
    this.#authority = config.backend.replace(/^([^/]+)\/([^:]+)/, "$2.$1");
  }

  ask(ctx: FilterContext, body: Uint8Array, partial: boolean): Question {
    const message = this.#message(ctx, body, partial);
    const framed = new Uint8Array(PREFIX_BYTES + message.length);
    new DataView(framed.buffer).setUint32(1, message.length);
    framed.set(message, PREFIX_BYTES);
    const fields = new Fields([
      "content-type",
      "application/grpc",
      "te",
      "trailers",
      "grpc-timeout",
      grpcTimeout(this.#config.timeoutMs),
      "content-length",
      String(framed.length),
    ]);
    for (const via of ctx.request.fields.all("via")) fields.append("via", via);
    const id = ctx.request.fields.get("x-request-id");
    if (id !== undefined) fields.append("x-request-id", id);
    const more = this.#config.fields;
    for (let i = 0; i < more.length; i += 2) fields.set(more[i]!, more[i + 1]!);
    const head: RequestHead = {
      method: "POST",
      scheme: "http",
      authority: this.#authority,
      path: CHECK_PATH,
      fields,
    };
    return { head, body: framed };
  }

  read({ status, fields, body, trailers }: CallAnswer): Decision {
    if (status !== 200) return failed(`it answered ${status}`);
    const said = grpcStatus(trailers ?? fields);
    if (said !== 0) return failed(`it answered with gRPC status ${said}`);
    const message = unframed(body);
    return message === null ? failed("its answer is no gRPC message") : readResponse(message);
  }

  /** CheckRequest: 1 attributes {1 source, 2 destination, 4 request}. */
  #message(ctx: FilterContext, body: Uint8Array, partial: boolean): Uint8Array {
    const { destination } = this.#config;
    const attributes = new ProtoWriter()
      .message(1, peer(ctx.remote, "", ctx.peer))
      .message(2, peer(ctx.facts?.local ?? "", destination.service, destination.principal))
      .message(4, this.#request(ctx, body, partial));
    return new ProtoWriter().message(1, attributes).bytes;
  }

  /** Request: 1 time {1 seconds, 2 nanos}, 2 http. */
  #request(ctx: FilterContext, body: Uint8Array, partial: boolean): ProtoWriter {
    const nowMs = this.#clock.nowMs();
    const time = new ProtoWriter()
      .varint(1, Math.floor(nowMs / 1000))
      .varint(2, Math.floor(nowMs % 1000) * 1_000_000);
    return new ProtoWriter().message(1, time).message(2, this.#http(ctx.request, body, partial));
  }

  /** HttpRequest: 1 id, 2 method, 3 headers, 4 path, 5 host, 6 scheme, 9 size, 10 protocol, 11 body, 12 raw_body. */
  #http(request: RequestHead, body: Uint8Array, partial: boolean): ProtoWriter {
    const { method, path, authority, scheme, fields } = request;
    const http = new ProtoWriter()
      .text(1, fields.get("x-request-id") ?? "")
      .text(2, method);
    header(http, ":authority", authority);
    header(http, ":method", method);
    header(http, ":path", path);
    header(http, ":scheme", scheme);
    headers(http, fields);
    if (this.#config.body !== null) header(http, PARTIAL, partial ? "true" : "false");
    http.text(4, path).text(5, authority).text(6, scheme);
    const size = Number(fields.get("content-length") ?? -1);
    if (size >= 0) http.varint(9, size);
    else http.minusOne(9);
    http.text(10, request.version === "2" ? "HTTP/2" : `HTTP/${request.version ?? "1.1"}`);
    if (body.length === 0) return http;
    return this.#config.body?.packAsBytes === true
      ? http.raw(12, body)
      : http.text(11, latin1Of(body));
  }
}

/** Envoy's name for it, which policies know. */
const PARTIAL = "x-envoy-auth-partial-body";

/** Peer: 1 address {1 socket_address {2 address, 3 port_value}}, 2 service, 4 principal. */
function peer(address: string, service: string, principal: string): ProtoWriter {
  const written = new ProtoWriter();
  if (address !== "") {
    const colon = address.lastIndexOf(":");
    const socket = new ProtoWriter().text(2, address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"));
    socket.varint(3, Number(address.slice(colon + 1)) || 0);
    written.message(1, new ProtoWriter().message(1, socket));
  }
  if (service !== "") written.text(2, service);
  if (principal !== "") written.text(4, principal);
  return written;
}

/** A map has each name once: lines of one name are joined, as RFC 9110 5.3 and, of cookies, RFC 6265 allow. */
function headers(http: ProtoWriter, { lines }: Fields): void {
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!;
    if (!isFirstLine(lines, i)) continue;
    let value = lines[i + 1]!;
    for (let j = i + 2; j < lines.length; j += 2) {
      if (lines[j] === name) value += (name === "cookie" ? "; " : ",") + lines[j + 1]!;
    }
    header(http, name, value);
  }
}

function header(http: ProtoWriter, name: string, value: string): void {
  http.message(3, new ProtoWriter().text(1, name).text(2, value));
}

/** The one message of a body; null when there is none, more than one, or a compressed one. */
function unframed(body: Uint8Array): Uint8Array | null {
  if (body.length < PREFIX_BYTES || body[0] !== 0) return null;
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  return length === body.length - PREFIX_BYTES ? body.subarray(PREFIX_BYTES) : null;
}

/** CheckResponse: 1 status {1 code}, 2 denied_response, 3 ok_response. */
function readResponse(message: Uint8Array): Decision {
  const reader = new ProtoReader(message);
  let code = 0, denied = NOTHING, ok = NOTHING;
  while (reader.next()) {
    if (reader.field === 1) code = numberIn(reader.content, 1);
    else if (reader.field === 2) denied = reader.content;
    else if (reader.field === 3) ok = reader.content;
  }
  if (reader.broken || Number.isNaN(code)) return failed(MALFORMED);
  return code === 0 ? readOk(ok) : readDenied(denied);
}

const MALFORMED = "its answer is malformed";

/** OkHttpResponse: 2 headers, 5 headers_to_remove, 6 response_headers_to_add. */
function readOk(message: Uint8Array): Decision {
  const request = new Mutations(), response = new Mutations();
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.field === 2) readOption(reader.content, request, SET);
    else if (reader.field === 5) request.remove(latin1Of(reader.content));
    else if (reader.field === 6) readOption(reader.content, response, ADD);
  }
  if (reader.broken || request.broken || response.broken) return failed(MALFORMED);
  return { kind: "allow", request, response };
}

/** DeniedHttpResponse: 1 status {1 code}, 2 headers, 3 body. */
function readDenied(message: Uint8Array): Decision {
  const fields = new Mutations();
  const reader = new ProtoReader(message);
  let status = 0, body = NOTHING;
  while (reader.next()) {
    if (reader.field === 1) status = numberIn(reader.content, 1);
    else if (reader.field === 2) readOption(reader.content, fields, SET);
    else if (reader.field === 3) body = reader.content;
  }
  if (status === 0) status = FORBIDDEN;
  const odd = !(status >= 200 && status <= 599);
  if (reader.broken || fields.broken || odd) return failed(MALFORMED);
  return { kind: "deny", status, fields, body: body.slice() };
}

/**
 * HeaderValueOption: 1 header {1 key, 2 value, 3 raw_value}, 2 append {1 value}, 3 append_action. The action's
 * zero cannot be told from none, so that it means `without`.
 */
function readOption(message: Uint8Array, into: Mutations, without: MutationKind): void {
  const reader = new ProtoReader(message);
  let header = NOTHING, append: boolean | null = null, action = 0;
  while (reader.next()) {
    if (reader.field === 1) header = reader.content;
    else if (reader.field === 2) append = numberIn(reader.content, 1) === 1;
    else if (reader.field === 3) action = reader.value;
  }
  const line = new ProtoReader(header);
  let name = "", value = "";
  while (line.next()) {
    if (line.field === 1) name = latin1Of(line.content);
    else if (line.field === 2 || line.field === 3) value = latin1Of(line.content);
  }
  if (reader.broken || line.broken || action > 3) into.broken = true;
  else into.put(append === null ? ACTIONS[action] ?? without : append ? ADD : SET, name, value);
}

/** By append_action. */
const ACTIONS: readonly (MutationKind | undefined)[] = [undefined, SET_ABSENT, SET, SET_PRESENT];

/** A number in a message, 0 where it is left out; NaN when the message is broken. */
function numberIn(message: Uint8Array, field: number): number {
  const reader = new ProtoReader(message);
  let value = 0;
  while (reader.next()) if (reader.field === field) value = reader.value;
  return reader.broken ? NaN : value;
}
