/**
 * A gRPC call or stream of a guest's own.
 *
 *   call    ─▶ proxy_on_grpc_receive, once · or proxy_on_grpc_close with what went wrong
 *   stream  ─▶ …initial_metadata ─▶ proxy_on_grpc_receive* ─▶ …trailing_metadata? ─▶ proxy_on_grpc_close
 *
 * What comes while effects of a guest call are being seen to waits its turn, in order.
 */
import type { Talk, TalkRequest, TalkSink } from "../../core/calls.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import {
  CANCELLED,
  DEADLINE_EXCEEDED,
  grpcOfHttp,
  grpcStatus,
  INTERNAL,
  OK,
  RESOURCE_EXHAUSTED,
  UNAVAILABLE,
  UNKNOWN,
} from "../../core/grpc.ts";
import { WASM_LIMITS } from "../limits.ts";
import { type Answer, NO_ANSWER, received } from "./answer.ts";
import type { StreamContext } from "./context.ts";
import type { Callback } from "./guest.ts";
import { Unframer } from "./grpc_frames.ts";
import type { Effect, OwnCall, Vm } from "./vm.ts";

/** Something to tell the guest, with the number its callback gets. */
interface News {
  readonly callback: Callback;
  readonly size: number;
  readonly answer: Answer;
  readonly last: boolean;
}

export class GrpcCall implements Effect, OwnCall, TalkSink {
  id = 0;
  readonly bytes: number;
  /** One request and one response, or as many as both sides like. */
  readonly streaming: boolean;
  /** Whose call it is; null: the plugin's. */
  readonly #stream: StreamContext | null;
  readonly #vm: Vm;
  readonly #request: TalkRequest;
  readonly #unframer = new Unframer(WASM_LIMITS.callAnswerBytes);
  #talk: Talk | null = null;
  #begun = false;
  #status = 0;
  #head: Fields | null = null;
  /** The response of a call, until its status says that it is one. */
  #response: Uint8Array | null = null;
  #over = false;
  readonly #news: News[] = [];

  constructor(vm: Vm, request: TalkRequest, streaming: boolean, bytes: number) {
    this.#vm = vm;
    this.#stream = vm.effective;
    this.#request = request;
    this.streaming = streaming;
    this.bytes = bytes;
  }

  get full(): boolean {
    return this.#talk !== null && this.#talk.full;
  }

  /** Begins, the first time; then delivers what has come meanwhile. */
  run(): void {
    if (this.#begun) return this.#deliver();
    this.#begun = true;
    const talk = this.#vm.host.calls.talk(this.#request, this);
    if (!this.#over) this.#talk = talk;
  }

  say(message: Uint8Array, end: boolean): void {
    this.#talk?.say(message, end);
  }

  forget(): void {
    this.#over = true;
    this.#news.length = 0;
    this.#talk?.cancel();
    this.#talk = null;
  }

  abandon(): void {
    if (this.#over) return;
    this.#talk?.cancel();
    this.#over = true;
    this.#talk = null;
    const answer = { ...NO_ANSWER, code: CANCELLED, message: FAULTS["proxy.stopped"].detail };
    this.#news.push({ callback: "onGrpcClose", size: CANCELLED, answer, last: true });
    this.#vm.host.post(this);
  }

  head(status: number, fields: Fields): void {
    this.#status = status;
    this.#head = fields;
    if (this.streaming && status === 200 && grpcStatus(fields) < 0) {
      const initial = received(fields.lines);
      this.#tell("onGrpcInitialMetadata", initial.count, { ...NO_ANSWER, initial });
    }
  }

  data(bytes: Uint8Array): void {
    if (this.#over || this.#status !== 200) return;
    const messages = this.#unframer.take(bytes);
    if (messages === null || this.#news.length + messages.length > WASM_LIMITS.grpcWaiting) {
      this.#talk?.cancel();
      return this.#close(
        RESOURCE_EXHAUSTED,
        "a message is too large or compressed, or too many wait",
      );
    }
    for (const message of messages) {
      if (!this.streaming) this.#response = message;
      else this.#tell("onGrpcReceive", message.length, { ...NO_ANSWER, received: message });
      if (this.#over) return; // the guest has cancelled it
    }
  }

  ended(fault: Fault | null, trailers: Fields | null): void {
    if (this.#over) return;
    if (fault !== null) {
      const late = fault.code === "call.timeout";
      return this.#close(late ? DEADLINE_EXCEEDED : UNAVAILABLE, fault.detail);
    }
    const ending = trailers ?? this.#head!;
    const status = grpcStatus(ending);
    if (this.streaming && trailers !== null && trailers !== this.#head) {
      const trailing = received(trailers.lines);
      this.#tell("onGrpcTrailingMetadata", trailing.count, { ...NO_ANSWER, trailing });
      if (this.#over) return;
    }
    if (this.#status !== 200) return this.#close(grpcOfHttp(this.#status), `HTTP ${this.#status}`);
    if (status < 0) return this.#close(UNKNOWN, "the response has no grpc-status");
    if (this.#unframer.inside) return this.#close(INTERNAL, "a message was cut off");
    const response = this.#response;
    if (this.streaming || status !== OK) {
      return this.#close(status, decoded(ending.get("grpc-message") ?? ""));
    }
    if (response === null) return this.#close(INTERNAL, "the response holds no message");
    this.#over = true;
    this.#tell("onGrpcReceive", response.length, { ...NO_ANSWER, received: response }, true);
  }

  #close(status: number, message: string): void {
    this.#over = true;
    this.#talk = null;
    this.#tell("onGrpcClose", status, { ...NO_ANSWER, code: status, message }, true);
  }

  #tell(callback: Callback, size: number, answer: Answer, last = false): void {
    this.#news.push({ callback, size, answer, last });
    if (this.#vm.host.busy) this.#vm.host.post(this);
    else this.#deliver();
  }

  #deliver(): void {
    const vm = this.#vm;
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) {
      const { callback, size, answer, last } = news;
      if (!vm.calls.has(this.id)) return; // cancelled meanwhile
      if (last) {
        vm.closed(this.id);
        this.#stream?.calls?.delete(this);
      }
      if (vm.dead !== null) return;
      vm.answer = answer;
      vm.enter(vm.guest[callback], null, 0, vm.rootId, this.id, size);
      vm.answer = NO_ANSWER;
      vm.host.settle(vm, null);
    }
  }
}

/** A grpc-message as it was meant: percent-encoded where it is no plain ASCII. */
function decoded(message: string): string {
  return message.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
