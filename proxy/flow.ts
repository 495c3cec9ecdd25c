/** One direction of an exchange: runs the filters' steps, then pushes on to the next sink. */
import {
  COLLECT,
  CONTINUE,
  type FilterContext,
  type FlowSteps,
  PAUSE,
  type Verdict,
} from "../core/filter.ts";
import type { Fault } from "../core/fault.ts";
import type { Fields } from "../core/fields.ts";
import type { Sink, Source } from "../core/stream.ts";

const NOTHING = new Uint8Array(0);

/** A part that arrived while a filter held the direction, and the step it goes on from. */
type Held<H> =
  | { part: "head"; value: H; end: boolean; at: number }
  | { part: "data"; value: Uint8Array; end: boolean; at: number }
  | { part: "trailers"; value: Fields; at: number };

/** Bytes are there for the call that brings them only. */
function heldData(bytes: Uint8Array, end: boolean, at: number): Held<never> {
  return { part: "data", value: bytes.slice(), end, at };
}

/**
 * While a filter holds the direction the source is paused, and the little that still arrives is
 * queued. COLLECT keeps the head back while the collecting filter's data hook is fed.
 */
export class Flow<H> implements Sink<H> {
  readonly #steps: FlowSteps<H>;
  readonly #ctx: FilterContext;
  readonly #source: Source;
  readonly #next: Sink<H>;
  /** Null until something is held: most exchanges never need the array. */
  #held: Held<H>[] | null = null;
  #holding = false;
  /** A head kept back by COLLECT: where it goes on, and which data steps may run meanwhile. */
  #collect: { head: H; at: number; dataUpTo: number } | null = null;
  #closed = false;
  /** The head has left this flow: it is too late for another. */
  passed = false;
  /** Set before the head: all data are a tunnel's bytes, and the business of filters for tunnels only. */
  tunnel = false;
  /** Bytes of the tunnel so far. */
  tunnelled = 0;

  constructor(steps: FlowSteps<H>, ctx: FilterContext, source: Source, next: Sink<H>) {
    this.#steps = steps;
    this.#ctx = ctx;
    this.#source = source;
    this.#next = next;
  }

  /** A head is being kept back until the body has been seen. */
  get collecting(): boolean {
    return this.#collect !== null;
  }

  /** Interim responses are not filtered. */
  info(head: H): void {
    if (!this.#closed) this.#next.info(head);
  }

  head(head: H, end: boolean, from = 0): void {
    const steps = this.#steps.head;
    const last = end || this.tunnel; // filters see no body of either
    for (let i = from; i < steps.length; i++) {
      const verdict = steps[i]!(this.#ctx, head, last);
      if (this.#closed) return; // whoever ended it, no hook sees anything of it any more
      if (verdict === CONTINUE) continue;
      if (verdict !== COLLECT) {
        return this.#stop(verdict, { part: "head", value: head, end, at: i + 1 });
      }
      // Without a body there is nothing to collect, so the head goes straight on.
      if (last) continue;
      this.#collect = { head, at: i + 1, dataUpTo: this.#steps.dataUpTo[i]! };
      return;
    }
    if (this.#closed) return;
    this.passed = true;
    this.#next.head(head, end);
  }

  data(bytes: Uint8Array, end: boolean, from = 0): void {
    if (this.#closed) return;
    if (this.#holding) return void this.#held!.push(heldData(bytes, end, from));
    if (this.tunnel) return this.#tunnelled(bytes, end, from);
    const until = this.#collect === null ? this.#steps.data.length : this.#collect.dataUpTo;
    for (let i = from; i < until; i++) {
      const out = this.#steps.data[i]!(this.#ctx, bytes, end);
      if (this.#closed) return;
      if (out === null) return this.#stop(PAUSE, heldData(bytes, end, i));
      if (out.length === 0 && !end) return; // swallowed
      bytes = out;
    }
    if (this.#collect === null) return this.#next.data(bytes, end);
    const gone = end && bytes.length === 0;
    this.#release(gone);
    if (!gone) this.data(bytes, end, until);
  }

  /** Before the tunnel stands, too: what a client may send by then is held further on. */
  #tunnelled(bytes: Uint8Array, end: boolean, from: number): void {
    const steps = this.#steps.tunnel;
    for (let i = from; i < steps.length; i++) {
      const out = steps[i]!(this.#ctx, bytes, end);
      if (this.#closed) return;
      if (out === null) return this.#stop(PAUSE, heldData(bytes, end, i));
      if (out.length === 0 && !end) return; // swallowed
      bytes = out;
    }
    this.tunnelled += bytes.length;
    this.#next.data(bytes, end);
  }

  trailers(fields: Fields, from = 0): void {
    if (this.#closed) return;
    if (this.tunnel) return this.data(NOTHING, true); // it has no place for them
    if (from === 0) this.#flush();
    if (this.#closed) return;
    if (this.#holding) return void this.#held!.push({ part: "trailers", value: fields, at: from });
    if (this.#collect !== null) {
      this.#release(false);
      return this.trailers(fields, from);
    }
    const steps = this.#steps.trailers;
    for (let i = from; i < steps.length; i++) {
      const verdict = steps[i]!(this.#ctx, fields);
      if (this.#closed) return;
      if (verdict !== CONTINUE) {
        return this.#stop(verdict, { part: "trailers", value: fields, at: i + 1 });
      }
    }
    if (!this.#closed) this.#next.trailers(fields);
  }

  abort(fault: Fault): void {
    if (this.#closed) return;
    this.close();
    this.#next.abort(fault);
  }

  /** A local reply or a reset took over: nothing passes from here on. */
  close(): void {
    this.#closed = true;
    this.#held = null;
    this.#collect = null;
  }

  /** A filter that held the direction has made up its mind. */
  resume(): void {
    if (!this.#holding || this.#closed) return;
    const queue = this.#held!;
    this.#held = [];
    this.#holding = false;
    for (const item of queue) {
      if (item.part === "head") this.head(item.value, item.end, item.at);
      else if (item.part === "data") this.data(item.value, item.end, item.at);
      else this.trailers(item.value, item.at);
    }
    this.#source.resume();
  }

  /**
   * Trailers end a body without a last chunk: an empty one that is not the last tells every data hook
   * to let go of what it has swallowed, or trailers would overtake it.
   */
  #flush(): void {
    const { data } = this.#steps;
    for (let i = 0; i < data.length && !this.#holding && !this.#closed; i++) {
      if (this.#collect !== null && i >= this.#collect.dataUpTo) return;
      const out = data[i]!(this.#ctx, NOTHING, false);
      if (this.#closed) return;
      if (out === null) this.#stop(PAUSE, { part: "data", value: NOTHING, end: false, at: i });
      else if (out.length > 0) this.data(out, false, i + 1);
    }
  }

  #release(end: boolean): void {
    const { head, at } = this.#collect!;
    this.#collect = null;
    this.head(head, end, at);
  }

  #stop(verdict: Verdict, held: Held<H>): void {
    if (verdict !== PAUSE || this.#closed) return; // DONE: whoever said so already acted
    this.#holding = true;
    if (this.#held === null) this.#held = [held];
    else this.#held.unshift(held);
    this.#source.pause();
  }
}
