/** A filter in a proxy without sockets: the admitted module, the real host, the real flow; time and chance by hand. */
import type { GivenPermissions } from "../../../wasm/permissions.ts";
import { seededRandom } from "../../../core/clock.ts";
import { compilePlan, type Filter } from "../../../core/filter.ts";
import { createLog } from "../../../core/log.ts";
import type { RequestHead, ResponseHead } from "../../../core/message.ts";
import { Metrics } from "../../../core/metrics.ts";
import { Wheel } from "../../../core/timers.ts";
import type { StreamSink } from "../../../core/stream.ts";
import type { CallRequest } from "../../../core/calls.ts";
import { Exchange } from "../../../proxy/exchange.ts";
import { RouteStats } from "../../../proxy/route_stats.ts";
import { configText, type Manifest } from "../../../control/market/mod.ts";
import type { Endpoint, ListenerRuntime } from "../../../proxy/snapshot.ts";
import { KeyValues, makeComponentFactory } from "../../../wasm/component/mod.ts";
import { makeWasmFactory, sha256 } from "../../../wasm/filter.ts";
import { SharedData } from "../../../wasm/proxy_wasm/shared_data.ts";
import { type WasmReport, WasmReports } from "../../../wasm/reports.ts";
import type { Case, Request, Response } from "./case.ts";
import { chunksOf, End, fieldsOf, StageCalls, StageClock } from "./fakes.ts";
import { type Callback, observe } from "./observe.ts";

/** What is put on stage: what a proxy would be given. */
export interface Staged {
  readonly abi: "proxy-wasm" | "component";
  readonly artefact: Uint8Array;
  /** `publisher/name`. */
  readonly name: string;
  readonly capabilities: readonly string[];
  readonly permissions?: GivenPermissions;
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
}

/** The filter's configuration as a proxy gets it from a binding that grants all it asks for, but for the fail mode. */
export function bound(
  { abi, name, capabilities, permissions, fuelPerCall, memoryBytes }: Staged,
  digest: string,
  version: string,
  config: string,
) {
  return {
    abi,
    digest,
    module: name,
    version,
    config,
    fuelPerCall,
    memoryBytes,
    capabilities,
    ...(permissions === undefined ? {} : { permissions }),
  };
}

export interface LogLine {
  readonly level: string;
  readonly text: string;
}

/** What came of one exchange. */
export interface Outcome {
  readonly upstream: End<RequestHead> | null;
  readonly down: End<ResponseHead>;
  readonly callbacks: readonly Callback[];
  readonly logs: readonly LogLine[];
  readonly calls: readonly CallRequest[];
  /** Fuel of everything the exchange caused. */
  readonly fuel: number;
  /** Report of a trap, "" for none. */
  readonly trap: string;
}

/** How long an exchange may wait by the case's own clock before it counts as stuck. */
const STUCK_MS = 60_000;
/** Turns of the event loop an asynchronous filter may take without anything becoming due. */
const TURNS = 20;

export class Stage implements Disposable {
  readonly clock: StageClock;
  readonly metrics: Metrics = new Metrics();
  readonly logs: LogLine[] = [];
  readonly calls: StageCalls;
  readonly stores: (SharedData | KeyValues)[] = [];
  readonly #wheel: Wheel;
  readonly #reports = new WasmReports();
  readonly #callbacks: Callback[] = [];
  #filter: Filter = {};

  private constructor(test: Pick<Case, "clock" | "calls">) {
    this.clock = new StageClock(Date.parse(test.clock));
    this.#wheel = new Wheel(this.clock, { drive: false });
    this.calls = new StageCalls(this.clock, test.calls);
  }

  /** Rejects with the reason when the filter does not start or refuses its configuration. */
  static async open(staged: Staged, manifest: Manifest, test: Case): Promise<Stage> {
    const stage = new Stage(test);
    const { artefact } = staged;
    const log = createLog((line) => stage.#logged(line), {
      level: "debug",
      nowMs: () => stage.clock.nowMs(),
    });
    const factory = makeWasmFactory({
      modules: { get: () => Promise.resolve(artefact) },
      reports: stage.#reports,
      component: makeComponentFactory(),
    });
    const upstreams = [...new Set(test.calls.map((call) => call.upstream))];
    const config = configText(
      test.config === undefined ? manifest : { ...manifest, config: test.config },
    );
    const filter = await factory({
      ...bound(staged, await sha256(artefact), "test", config),
      failMode: test.failMode,
      ...(test.capabilities === undefined ? {} : { capabilities: test.capabilities }),
      upstreams: upstreams.map((one) => ({ names: [one], backend: one, fields: [] })),
    }, {
      name: "test/filter",
      slot: 0,
      backend: "default/app:80",
      clock: stage.clock,
      wheel: stage.#wheel,
      random: seededRandom(test.seed),
      metrics: stage.metrics,
      log,
      calls: stage.calls,
      keep: (_key, make) => stage.#keep(make(), test.kv),
    });
    const meter = { fuel: () => stage.report.fuel, logged: () => stage.logs.length };
    stage.#filter = observe(filter, meter, (callback) => stage.#callbacks.push(callback));
    return stage;
  }

  get report(): WasmReport {
    return this.#reports.list()[0]!;
  }

  /** One exchange, to its end. Rejects when it never comes to one. */
  async run(request: Request, response: Response): Promise<Outcome> {
    const from = {
      callbacks: this.#callbacks.length,
      logs: this.logs.length,
      calls: this.calls.made.length,
    };
    const { fuel, traps } = this.report;
    const { x, down, upstream, answers } = this.#exchange(request.peer);
    this.#push(x, requestHead(request), request);
    for (let over = false; !over;) {
      const up = upstream.end;
      if (up?.over && up.fault === null && !upstream.answered) {
        upstream.answered = true;
        this.#push(
          answers.into!,
          { status: response.status, fields: fieldsOf(response.headers) },
          response,
        );
      }
      over = down.over;
      if (
        !over &&
        !await this.#passTime(() =>
          (upstream.end?.over ?? false) && !upstream.answered || down.over
        )
      ) {
        throw new Error(stuck(upstream.end));
      }
    }
    x.closed();
    const report = this.report;
    return {
      upstream: upstream.end,
      down,
      callbacks: this.#callbacks.slice(from.callbacks),
      logs: this.logs.slice(from.logs),
      calls: this.calls.made.slice(from.calls),
      fuel: report.fuel - fuel,
      trap: report.traps > traps ? report.lastTrap : "",
    };
  }

  /** Lets the case's time go by: ticks and answers come as they are due. */
  advance(ms: number): void {
    const until = this.clock.ms + ms;
    while (this.clock.ms < until) {
      this.clock.ms = Math.min(until, this.clock.ms + this.#wheel.tickMs);
      this.#wheel.advance();
      this.calls.deliver();
    }
  }

  [Symbol.dispose](): void {
    this.#filter.close?.();
  }

  /** False: nothing more will ever happen. */
  async #passTime(done: () => boolean): Promise<boolean> {
    for (let ms = 0; ms < STUCK_MS; ms += this.#wheel.tickMs) {
      if (this.calls.deliver() && done()) return true;
      for (let turn = 0; turn < TURNS; turn++) {
        if (done()) return true;
        if (turn === 0 || ms === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      }
      if (this.#wheel.armed === 0 && this.calls.nextMs === Infinity) return false;
      this.advance(this.#wheel.tickMs);
      if (done()) return true;
    }
    return false;
  }

  #push<H extends RequestHead | ResponseHead>(
    into: StreamSink<H>,
    head: H,
    message: Request | Response,
  ): void {
    const chunks = chunksOf(message.body);
    const trailers = Object.keys(message.trailers).length > 0;
    into.head(head, chunks.length === 0 && !trailers);
    chunks.forEach((chunk, i) => {
      into.data(chunk, i === chunks.length - 1 && !trailers);
      chunk.fill(0xdb); // as a proxy's next read would: whoever kept the bytes without a copy is found out
    });
    if (trailers) into.trailers(fieldsOf(message.trailers));
  }

  #exchange(peer: string) {
    const down = new End<ResponseHead>();
    const upstream = { end: null as End<RequestHead> | null, answered: false };
    const answers = { into: null as StreamSink<ResponseHead> | null };
    const endpoint: Endpoint = {
      address: "192.0.2.1:80",
      open(into) {
        answers.into = into;
        return upstream.end = new End<RequestHead>();
      },
      started: () => 0,
      finished() {},
    };
    const runtime: ListenerRuntime = {
      version: "test",
      match: () => ({
        name: "default/test/0",
        plan: compilePlan([this.#filter]),
        backend: { name: "default/app:80", pick: (tried) => tried.length === 0 ? endpoint : null },
        fault: null,
        stats: new RouteStats(this.metrics, "test", "test", "test"),
      }),
      entered() {},
      left() {},
    };
    const x = new Exchange({
      runtime,
      peer,
      remote: "192.0.2.7:40000",
      local: "192.0.2.1:8080",
      servername: "",
      switched() {},
      ended() {},
      monotonicMs: () => this.clock.monotonicMs(),
    }, down);
    return { x, down, upstream, answers };
  }

  #keep<T>(made: T, kept: Readonly<Record<string, string>>): T {
    if (made instanceof SharedData || made instanceof KeyValues) {
      this.stores.push(made);
      for (const [key, value] of Object.entries(kept)) {
        const bytes = new TextEncoder().encode(value);
        if (made instanceof SharedData) made.set(key, bytes, 0);
        else made.set(key, bytes, undefined, undefined);
      }
    }
    return made;
  }

  #logged(line: string): void {
    const { level, msg, text } = JSON.parse(line) as { level: string; msg: string; text?: string };
    if (msg === "wasm.log") this.logs.push({ level, text: text ?? "" });
  }
}

function requestHead(request: Request): RequestHead {
  const { method, scheme, authority, path, headers } = request;
  return { method, scheme, authority, path, fields: fieldsOf(headers) };
}

function stuck(upstream: End<RequestHead> | null): string {
  const where = upstream === null
    ? "the request never reached the upstream and was not answered"
    : upstream.over
    ? "the response never reached the client"
    : "the request never ended";
  return `the filter holds the exchange for ever: ${where}, and no call or tick is left that could wake it`;
}
