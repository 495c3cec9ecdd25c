/** Fakes for unit tests of the data path: streams that record, endpoints that wait for orders. */
import type { Fault } from "../core/fault.ts";
import { compilePlan, type Filter } from "../core/filter.ts";
import { Fields } from "../core/fields.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import { Metrics } from "../core/metrics.ts";
import type { Source, Stream, StreamSink } from "../core/stream.ts";
import { Exchange } from "./exchange.ts";
import type { Arrival } from "./exchange_state.ts";
import { RouteStats } from "./route_stats.ts";
import type { Endpoint, ListenerRuntime, Route } from "./snapshot.ts";

/** Records what is pushed into it as short words: `head 200`, `data abc end`, `pause`. */
export class FakeStream<Out extends RequestHead | ResponseHead> implements Stream<Out> {
  readonly id = 1;
  feeder: Source | null = null;
  readonly log: string[] = [];
  last: Out | null = null;

  info(head: Out): void {
    this.log.push(`info ${"status" in head ? head.status : head.method}`);
  }
  head(head: Out, end: boolean): void {
    this.last = head;
    this.log.push(`head ${"status" in head ? head.status : head.method}${end ? " end" : ""}`);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.log.push(`data ${new TextDecoder().decode(bytes)}${end ? " end" : ""}`);
  }
  trailers(fields: Fields): void {
    this.log.push(`trailers ${fields.lines.join(",")}`);
  }
  abort(fault: Fault): void {
    this.log.push(`abort ${fault.code}`);
  }
  pause(): void {
    this.log.push("pause");
  }
  resume(): void {
    this.log.push("resume");
  }
  cancel(fault: Fault): void {
    this.log.push(`cancel ${fault.code}`);
  }
}

export interface Try {
  readonly address: string;
  readonly up: FakeStream<RequestHead>;
  readonly into: StreamSink<ResponseHead>;
}

export interface Rig {
  readonly x: Exchange;
  readonly down: FakeStream<ResponseHead>;
  readonly tries: Try[];
  readonly ended: Exchange[];
}

/** An exchange between fakes, with `endpoints` addresses to try. */
export function rig(filters: Filter[], options: { replay?: number; endpoints?: number } = {}): Rig {
  const down = new FakeStream<ResponseHead>();
  const tries: Try[] = [];
  const ended: Exchange[] = [];
  const endpoint = (n: number): Endpoint => ({
    address: `e${n}`,
    open(into) {
      const up = new FakeStream<RequestHead>();
      tries.push({ address: `e${n}`, up, into });
      return up;
    },
    started: () => 0,
    finished() {},
  });
  const route: Route = {
    name: "r",
    plan: compilePlan(filters, options.replay ?? 0),
    backend: {
      name: "b",
      pick: (tried) => tried.length < (options.endpoints ?? 3) ? endpoint(tried.length) : null,
    },
    fault: null,
    stats: new RouteStats(new Metrics(), "l", "r", "b"),
  };
  const runtime: ListenerRuntime = { version: "1", match: () => route, entered() {}, left() {} };
  const arrival: Arrival = {
    runtime,
    peer: "",
    remote: "127.0.0.1:1",
    local: "127.0.0.1:2",
    servername: "",
    switched() {},
    ended: (x) => ended.push(x),
    monotonicMs: () => 0,
  };
  return { x: new Exchange(arrival, down), down, tries, ended };
}

export function request(method = "GET", path = "/"): RequestHead {
  return { method, scheme: "http", authority: "a", path, fields: new Fields() };
}

export function response(status: number): ResponseHead {
  return { status, fields: new Fields() };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
