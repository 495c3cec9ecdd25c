/** A proxy in this process, in front of one upstream, whose filter can be replaced while requests run. */
import { systemClock, systemRandom } from "../../../core/clock.ts";
import type { Filter, FilterContext, FilterEnv } from "../../../core/filter.ts";
import { createLog } from "../../../core/log.ts";
import { Metrics } from "../../../core/metrics.ts";
import type { Snapshot } from "../../../control/schema/snapshot.ts";
import { Engine } from "../../../proxy/engine.ts";
import { makeComponentFactory } from "../../../wasm/component/mod.ts";
import { makeWasmFactory, sha256 } from "../../../wasm/filter.ts";
import { WasmReports } from "../../../wasm/reports.ts";
import { type Callback, observe } from "../stage/observe.ts";
import { bound, type LogLine, type Staged } from "../stage/stage.ts";

/** Who is shown what happens. */
export interface DevView {
  /** The filter is called for an exchange for the first time; `id` counts them. */
  begun(id: number, ctx: FilterContext): void;
  callback(id: number, ctx: FilterContext, callback: Callback, logs: readonly LogLine[]): void;
  /** Lines between callbacks: of ticks, and of answers to calls. */
  logs(lines: readonly LogLine[]): void;
  trap(report: string): void;
}

export interface DevOptions {
  /** `127.0.0.1:0` takes any port. */
  readonly listen: { readonly host: string; readonly port: number };
  /** `host:port`. */
  readonly upstream: string;
  readonly view: DevView;
}

/** A drain at the end: nobody waits for a developer's own requests for long. */
const DRAIN_MS = 1000;

export class DevProxy {
  readonly #options: DevOptions;
  readonly #engine: Engine;
  readonly #modules = new Map<string, Uint8Array>();
  readonly #reports = new WasmReports();
  readonly #ids = new WeakMap<FilterContext, number>();
  #logs: LogLine[] = [];
  #flushing = false;
  #exchanges = 0;
  #generation = 0;

  constructor(options: DevOptions) {
    this.#options = options;
    const wasm = makeWasmFactory({
      modules: { get: (digest) => this.#module(digest) },
      reports: this.#reports,
      component: makeComponentFactory(),
    });
    const watched = async (config: unknown, env: FilterEnv): Promise<Filter> => {
      const { digest } = config as { digest: string };
      return this.#watched(await wasm(config, env), digest);
    };
    this.#engine = new Engine({
      clock: systemClock,
      random: systemRandom,
      log: createLog((line) => this.#logged(line), { level: "debug" }),
      metrics: new Metrics(),
      factories: new Map([["wasm", watched]]),
      listenAddress: options.listen.host,
      accessLog: null,
    });
  }

  /** `http://host:port` of the proxy; "" before the first filter is in force. */
  get url(): string {
    const address = this.#engine.addresses.get("dev");
    return address === undefined ? "" : `http://${address}`;
  }

  /** Puts a filter in force; requests under way end with the one they began with. Rejects with why it does not start, and then the old one stays. */
  async swap(staged: Staged, config: string): Promise<void> {
    const digest = await sha256(staged.artefact);
    this.#modules.set(digest, staged.artefact);
    const generation = ++this.#generation;
    const filter = {
      kind: "wasm",
      name: "dev/filter",
      config: { ...bound(staged, digest, `dev-${generation}`, config), failMode: "closed" },
    };
    await this.#engine.apply(snapshotOf(this.#options, generation, filter));
    for (const known of this.#modules.keys()) if (known !== digest) this.#modules.delete(known);
  }

  async close(): Promise<void> {
    await this.#engine.drain(DRAIN_MS);
  }

  #module(digest: string): Promise<Uint8Array> {
    const bytes = this.#modules.get(digest);
    return bytes === undefined
      ? Promise.reject(new Error(`There is no module ${digest}`))
      : Promise.resolve(bytes);
  }

  #watched(filter: Filter, digest: string): Filter {
    const report = () => this.#reports.list().find((one) => one.digest === digest);
    let traps = report()?.traps ?? 0;
    const meter = { fuel: () => report()?.fuel ?? 0, logged: () => this.#logs.length };
    const { view } = this.#options;
    return observe(filter, meter, (callback, ctx) => {
      const id = this.#ids.get(ctx)!;
      view.callback(id, ctx, callback, this.#logs.splice(callback.logs[0]));
      const now = report();
      if (now === undefined || now.traps === traps) return;
      traps = now.traps;
      view.trap(now.lastTrap);
    }, (ctx) => {
      if (this.#ids.has(ctx)) return;
      this.#ids.set(ctx, ++this.#exchanges);
      view.begun(this.#exchanges, ctx);
    });
  }

  #logged(line: string): void {
    const { level, msg, text, reason } = JSON.parse(line) as Record<string, string>;
    if (msg !== "wasm.log") {
      if (level === "error") this.#logs.push({ level, text: `${msg} ${reason ?? ""}` });
      else return;
    } else this.#logs.push({ level: level!, text: text ?? "" });
    if (this.#flushing) return;
    this.#flushing = true;
    // What no callback has claimed by then was said between callbacks.
    queueMicrotask(() => {
      this.#flushing = false;
      if (this.#logs.length > 0) this.#options.view.logs(this.#logs.splice(0));
    });
  }
}

function snapshotOf(
  { listen, upstream }: DevOptions,
  generation: number,
  filter: Snapshot["listeners"][number]["hosts"][number]["routes"][number]["filters"][number],
): Snapshot {
  return {
    version: `dev-${generation}`,
    node: { kind: "gateway", namespace: "dev", name: "dev" },
    listeners: [{
      name: "dev",
      role: "gateway",
      address: listen.host,
      port: listen.port,
      tls: "none",
      hosts: [{
        hostnames: ["*"],
        routes: [{
          name: "dev/route/0",
          matches: [],
          filters: [filter],
          backends: [{ backend: "dev/upstream:80", weight: 1, filters: [] }],
        }],
      }],
    }],
    backends: {
      "dev/upstream:80": {
        name: "dev/upstream:80",
        endpoints: [{ address: upstream }],
        balancer: { algorithm: "round_robin" },
        connectTimeoutMs: 5000,
        pool: { maxConnections: 64, maxPending: 1024, idleTimeoutMs: 60_000 },
        outlier: null,
      },
    },
    modules: [],
    trust: { domain: "dev", bundle: [] },
  };
}
