/** Composition root of a proxy: the only file that knows every part. Read top to bottom. */
import { systemClock, systemRandom } from "../core/clock.ts";
import type { FilterFactory } from "../core/filter.ts";
import { type Log, stderrLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { BUILT_IN_FILTERS } from "../filters/registry.ts";
import { makeComponentFactory } from "../wasm/component/mod.ts";
import { makeWasmFactory, type ModuleSource } from "../wasm/filter.ts";
import { WasmReports } from "../wasm/reports.ts";
import type { ProxyReport } from "../control/schema/protocol.ts";
import type { Snapshot } from "../control/schema/snapshot.ts";
import { createAccessLog } from "./access_log.ts";
import { type AdminServer, startAdmin } from "./admin/server.ts";
import { Engine } from "./engine.ts";
import type { ProxyOptions } from "./options.ts";
import { enableScavenging } from "./scavenge.ts";

/** What a proxy without a control plane runs. */
export interface StandaloneSource {
  readonly snapshot: Snapshot;
  readonly modules: ModuleSource;
}

/** What is printed, and written to the ready file, once a proxy serves. */
export interface ReadyLine {
  readonly ready: true;
  readonly inbound: string | null;
  readonly outbound: string | null;
  readonly listeners: Readonly<Record<string, string>>;
  readonly admin: string;
  readonly pid: number;
}

export interface RunningProxy {
  readonly engine: Engine;
  ready(): ReadyLine;
  /** Drains and stops; resolves when every connection has ended. */
  stop(): Promise<void>;
}

/** Everything a proxy's parts share. */
interface Parts {
  readonly options: ProxyOptions;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly reports: WasmReports;
  readonly engine: Engine;
  readonly startedMs: number;
}

/** Starts a proxy from its source and resolves when it serves; rejects with a sentence that says what to do. */
export async function startStandalone(
  options: ProxyOptions,
  source: StandaloneSource,
): Promise<RunningProxy> {
  const parts = assemble(
    options,
    source.modules,
    options.mode === "standalone" ? options.listenAddress : "127.0.0.1",
  );
  await parts.engine.apply(source.snapshot);
  const admin = startAdmin(options.admin.host, options.admin.port, adminView(parts, () => null));
  return running(parts, admin, async () => {});
}

function assemble(options: ProxyOptions, modules: ModuleSource, listenAddress: string): Parts {
  enableScavenging();
  const log = stderrLog(options.logLevel);
  const metrics = new Metrics();
  const reports = new WasmReports();
  const factories = new Map<string, FilterFactory>([
    ...BUILT_IN_FILTERS,
    ["wasm", makeWasmFactory({ modules, reports, component: makeComponentFactory() })],
  ]);
  const encoder = new TextEncoder();
  const accessLog = options.accessLog
    ? createAccessLog((line) => Deno.stderr.writeSync(encoder.encode(line + "\n")), Date.now)
    : null;
  const engine = new Engine({
    clock: systemClock,
    random: systemRandom,
    log,
    metrics,
    factories,
    listenAddress,
    accessLog,
  });
  return { options, log, metrics, reports, engine, startedMs: Date.now() };
}

function adminView(parts: Parts, notReady: () => string | null) {
  return {
    metrics: parts.metrics,
    notReady: () => parts.engine.snapshot === null ? "no configuration yet" : notReady(),
    report: () => report(parts, notReady() === null),
    snapshot: () => parts.engine.snapshot,
  };
}

function report(parts: Parts, appHealthy: boolean): ProxyReport {
  const { engine, reports, startedMs } = parts;
  return {
    version: engine.snapshot?.version ?? null,
    ready: engine.snapshot !== null,
    uptimeMs: Date.now() - startedMs,
    rssBytes: Deno.memoryUsage().rss,
    certExpiresMs: engine.identity?.notAfterMs ?? null,
    appHealthy,
    routes: engine.routes(),
    filters: reports.list(),
  };
}

function running(parts: Parts, admin: AdminServer, stop: () => Promise<void>): RunningProxy {
  const { engine, options } = parts;
  return {
    engine,
    ready: () => ({
      ready: true,
      inbound: engine.addresses.get("inbound") ?? null,
      outbound: engine.addresses.get("outbound") ?? null,
      listeners: Object.fromEntries(engine.addresses),
      admin: admin.url,
      pid: Deno.pid,
    }),
    async stop() {
      await engine.drain(options.drainMs);
      await stop();
      await admin.close();
    },
  };
}
