/** One exchange as one guest instance sees it: its maps, its bodies, and what the guest asked for and has not got yet. */
import { type FilterContext, type FilterPlace, REQUEST, RESPONSE } from "../../core/filter.ts";
import type { Fields } from "../../core/fields.ts";
import { type HeaderMap, RequestHeaders, ResponseHeaders } from "./headers.ts";
import { ExchangeAccount } from "../route_costs.ts";
import type { OwnCall, Vm } from "./vm.ts";

export const EMPTY: Uint8Array = new Uint8Array(0);

/** {@link Half.declared} before the first byte of a body. */
export const UNKNOWN = -2;

/** An answer the guest asked for; sent when its call has returned. */
export interface LocalReply {
  readonly status: number;
  readonly details: string;
  readonly fields: Fields;
  readonly body: Uint8Array;
}

/**
 * The body of one direction:
 *
 *   OPEN ──PAUSE──▶ PAUSED (chunks pile up in `buffer`) ──CONTINUE or continue_stream──▶ OPEN
 *                     │ last chunk, or head
 *                     └──▶ `held`: the flow stands still until continue_stream resumes it
 */
export class Half {
  /** Bytes the guest can read and change now. */
  buffer: Uint8Array = EMPTY;
  /** The buffer as it was when the running call began. */
  before: Uint8Array = EMPTY;
  /** Set while bytes are the guest's to change. */
  open = false;
  paused = false;
  held = false;
  /** The head waits for the body: it can still be changed while the body is looked at. */
  collecting = false;
  /** Let go by continue_stream between two chunks; leaves with the next one. */
  released: Uint8Array = EMPTY;
  /** continue_stream was called since the last callback began. */
  continued = false;
  /** What content-length promised when the body began, -1 for nothing; and what has been let through. */
  declared: number = UNKNOWN;
  passed = 0;
  /** The last chunk has come. */
  ended = false;
  /** Bytes that have come, for properties. */
  seen = 0;
}

export class StreamContext extends ExchangeAccount {
  readonly id: number;
  readonly vm: Vm;
  readonly place: FilterPlace | null;
  /** A connection that is no HTTP: no heads, no bodies, bytes both ways. */
  readonly network: boolean;
  /** When the filter first saw the exchange, since the epoch. */
  readonly startedMs: number;
  readonly request: Half = new Half();
  readonly response: Half = new Half();
  /** Null once the exchange has ended. */
  exchange: FilterContext | null;
  requestHeaders: HeaderMap;
  requestTrailers: HeaderMap | null = null;
  responseHeaders: HeaderMap | null = null;
  responseTrailers: HeaderMap | null = null;
  local: LocalReply | null = null;
  /** The instance died and the fail mode is open: the exchange goes on as if the filter were not there. */
  skip = false;
  /** A local response was asked for before; another one is ignored. */
  replied = false;
  reset = false;
  /** on_done said false: on_log and on_delete wait for proxy_done. */
  finishing = false;
  /** Requests the guest made on behalf of this stream, under way. */
  calls: Set<OwnCall> | null = null;
  /** The exchange is over: what is left to be said to the guest has the fuel of any call. */
  ended = false;
  #deleted = false;

  constructor(id: number, vm: Vm, exchange: FilterContext, place: FilterPlace | null) {
    super(vm.host.routes.of(exchange.routeName), vm.host.limits.fuelPerRequest);
    this.id = id;
    this.place = place;
    this.vm = vm;
    this.network = vm.host.network;
    this.exchange = exchange;
    this.startedMs = vm.host.clock.nowMs();
    this.requestHeaders = new RequestHeaders(exchange.request, vm);
    this.requestHeaders.writable = false;
  }

  get filterName(): string {
    return this.vm.host.name;
  }

  half(direction: number): Half {
    return direction === 0 ? this.request : this.response;
  }

  /** The map of a response's head; made when it is first looked at. */
  get responseMap(): HeaderMap | null {
    const head = this.exchange === null ? null : this.exchange.response;
    if (
      this.responseHeaders === null ||
      (head !== null && this.responseHeaders.fields !== head.fields)
    ) {
      if (head === null) return this.responseHeaders;
      this.responseHeaders = new ResponseHeaders(head, this.vm);
      this.responseHeaders.writable = false;
    }
    return this.responseHeaders;
  }

  /** The head of one direction as a map; the response's is there once the response is. */
  headers(direction: number): HeaderMap | null {
    return direction === 0 ? this.requestHeaders : this.responseMap;
  }

  /** continue_stream was called for a paused direction: what of the exchange has to be resumed, 0 nothing. */
  unpause(): number {
    let resume = 0;
    for (let direction = 0; direction < 2; direction++) {
      const half = this.half(direction);
      if (!half.continued || !half.paused) continue;
      half.paused = false;
      const headers = this.headers(direction);
      if (headers !== null && !half.collecting) headers.writable = false;
      if (!half.held && half.buffer.length > 0) {
        half.released = half.buffer;
        half.buffer = EMPTY;
      }
      resume |= direction === 0 ? REQUEST : RESPONSE;
    }
    return resume;
  }

  /** The exchange is over: on_done, then on_log and on_delete unless the guest asks to wait. */
  end(): void {
    const { vm } = this;
    this.ended = true;
    if (vm.dead === null) {
      const done = vm.enter(vm.guest.onDone, this, 1, this.id, 0, 0);
      if (done === 0) this.finishing = true;
      else this.finish();
    }
    // Who was held until an answer comes has left; what was sent on the side goes on.
    if (this.request.paused || this.response.paused) this.#abandonCalls();
    this.exchange = null;
  }

  #abandonCalls(): void {
    if (this.calls !== null) { for (const call of this.calls) call.abandon(); }
  }

  /** What is left after on_done: the access-log callback and the farewell. */
  finish(): void {
    if (this.#deleted) return;
    this.#deleted = true;
    const { vm } = this;
    vm.enter(vm.guest.onLog, this, 0, this.id, 0, 0);
    vm.enter(vm.guest.onDelete, this, 0, this.id, 0, 0);
    vm.contexts.delete(this.id);
  }
}
