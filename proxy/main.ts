/** Composition root of a proxy: the only file that knows every part. Read top to bottom. */
import process from "node:process";
import { systemClock, systemRandom } from "../core/clock.ts";
import type { FilterFactory } from "../core/filter.ts";
import { type Log, stderrLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { makeJwtFactory } from "../filters/jwt/filter.ts";
import { UnknownKeys } from "../filters/jwt/unknown_keys.ts";
import { BUILT_IN_FILTERS } from "../filters/registry.ts";
import { policyReports } from "../filters/authz/tally.ts";
import { makeComponentFactory } from "../wasm/component/mod.ts";
import { makeWasmFactory, type ModuleSource } from "../wasm/filter.ts";
import { TRAP_LIMITS } from "../wasm/trap_report.ts";
import { TrapStore } from "./trap_store.ts";
import { WasmReports } from "../wasm/reports.ts";
import type { ProxyReport } from "../control/schema/protocol.ts";
import type { NodeRef, Snapshot } from "../control/schema/snapshot.ts";
import { createAccessLog } from "./access_log.ts";
import type { AdminDoor } from "./admin/door.ts";
import { type AdminView, startAdmin } from "./admin/server.ts";
import { AppHealth } from "./app_health.ts";
import { type KeySource, NO_KEYS } from "./certificates.ts";
import { withApp } from "./config/app_ports.ts";
import {
  type Credential,
  type IdentityRequest,
  JoinError,
  obtainIdentity,
  rejoin,
} from "./config/join.ts";
import { LastGood } from "./config/last_good.ts";
import { Keys } from "./config/keys.ts";
import { Modules } from "./config/modules.ts";
import { subscribe } from "./config/subscribe.ts";
import { putTrustInForce } from "./config/trust.ts";
import { Engine } from "./engine.ts";
import type {
  AdminPlace,
  ControlOptions,
  GatewayOptions,
  ProxyOptions,
  SidecarOptions,
  StandaloneOptions,
} from "./options.ts";
import { enableScavenging } from "./scavenge.ts";
import { SidecarPorts } from "./sidecar_ports.ts";
import { createResolver } from "./upstream/resolver.ts";

/** What a proxy without a control plane runs. */
export interface StandaloneSource {
  readonly snapshot: Snapshot;
  readonly modules: ModuleSource;
  readonly keys?: KeySource;
  /** Reads certificate files again: the snapshot they now make, null while they are the same. */
  readonly renew?: () => Promise<Snapshot | null>;
}

/** How often certificate files are looked at. */
export const RENEW_LOOK_MS = 2000;

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
  readonly unknownKeys: UnknownKeys;
  readonly engine: Engine;
  readonly startedMs: number;
}

/** A proxy with one configuration and no control plane; resolves when it serves. */
export async function startStandalone(
  options: StandaloneOptions,
  source: StandaloneSource,
): Promise<RunningProxy> {
  const parts = assemble(options, source.modules, options.listenAddress, source.keys ?? NO_KEYS);
  await parts.engine.apply(source.snapshot);
  const admin = startAdmin(adminPlace(options), adminView(parts, () => true));
  return running(parts, admin, followFiles(parts, source.renew));
}

/** Puts certificates in force as their files change; returns what ends that. */
function followFiles(
  { engine, log }: Parts,
  renew: StandaloneSource["renew"],
): () => Promise<void> {
  if (renew === undefined) return () => Promise.resolve();
  let told = "";
  let looking = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const next = await renew();
      if (next !== null) await engine.apply(next);
      told = "";
    } catch (error) {
      // Files that are being written fit together in a moment; until then the old ones serve.
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== told) log.warn("certificate.not_renewed", { reason });
      told = reason;
    }
  };
  const timer = setInterval(() => looking = looking.then(look), RENEW_LOOK_MS);
  return async () => {
    clearInterval(timer);
    await looking;
  };
}

/**
 * A sidecar or gateway under a control plane; resolves when it serves. With a kept identity and
 * snapshot that is at once, whatever the control plane does; otherwise when both have come from it.
 * Rejects with a sentence that says what to do.
 */
export async function startProxy(
  options: SidecarOptions | GatewayOptions,
  signal?: AbortSignal,
): Promise<RunningProxy> {
  const log = proxyLog(options);
  const node = nodeOf(options);
  const lastGood = await LastGood.open(options.state, log);
  const modules = new Modules(lastGood);
  const keys = new Keys(lastGood);
  const listenAddress = options.mode === "gateway" ? options.listenAddress : "127.0.0.1";
  const parts = assemble(options, modules, listenAddress, keys);
  const { engine } = parts;
  const traps = new TrapStore(options.state, log);
  parts.reports.remember(await traps.load().catch(() => []));
  parts.reports.keep = (report) => traps.save(report);
  const request: IdentityRequest = {
    control: options.control,
    bundlePem: await readTrustBundle(options.trustBundleFile),
    credential: () => readCredential(options.joinToken),
    namespace: node.namespace,
    name: node.name,
    state: options.state,
    log,
    nowMs: Date.now,
    ...(signal === undefined ? {} : { signal }),
  };
  const identity = await obtainIdentity(request);
  engine.setIdentity(identity);
  const app = options.mode === "sidecar"
    ? new AppHealth(options.app.host, options.app.port, log)
    : null;
  const prepared = (snapshot: Snapshot): Snapshot =>
    options.mode === "sidecar" ? withApp(snapshot, options) : snapshot;
  const kept = await lastGood.read(node);
  if (kept !== null) {
    await restore(kept, async (snapshot) => {
      // The bundle kept with the certificate is as old as that: a root may have come or gone since.
      putTrustInForce(identity, snapshot.trust);
      await engine.apply(prepared(snapshot));
    }, log);
  }
  const ports = options.mode === "sidecar" ? new SidecarPorts(engine, options) : null;
  const inbound = await ports?.address() ?? null;
  const view = adminView(parts, () => app === null || app.healthy);
  const admin = startAdmin(adminPlace(options), view);
  const serving = Promise.withResolvers<void>();
  if (engine.snapshot !== null) serving.resolve();
  const apply = async (snapshot: Snapshot): Promise<void> => {
    await engine.apply(prepared(snapshot));
    try {
      await ports?.open();
    } catch (e) {
      serving.reject(e);
      throw e;
    }
    serving.resolve();
  };
  const subscription = subscribe({
    control: options.control,
    identity,
    rejoin: options.joinToken !== null && "jwtFile" in options.joinToken
      ? () => rejoin(request)
      : null,
    greeting: {
      node,
      inbound,
      labels: options.mode === "sidecar" ? options.labels : {},
      admin: options.supervised?.admin ?? admin.url,
      pid: Deno.pid,
      worker: options.supervised?.worker ?? 0,
      startedMs: parts.startedMs,
    },
    version: engine.snapshot === null ? null : kept!.version,
    apply,
    report: () => ({
      ...view.report(),
      traps: parts.reports.traps().slice(-TRAP_LIMITS.reported),
      unknownKeys: parts.unknownKeys.take(),
    }),
    leansOnPast: () => parts.reports.list().some(({ refused }) => refused !== undefined),
    lastGood,
    modules,
    keys,
    state: options.state,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  const stopped = async (): Promise<void> => {
    app?.stop();
    await subscription.close();
  };
  signal?.addEventListener("abort", () => serving.reject(new Error("Stopped before it served")));
  try {
    await serving.promise;
    if (options.reusePort === true) await within(GREETING_MS, subscription.greeted);
  } catch (e) {
    await stopped();
    await engine.drain(0);
    await admin.close();
    throw e;
  }
  return running(parts, admin, stopped);
}

/**
 * Who stops the process before this one waits for the ready line. By then the control plane should know of
 * this one, or the farewell of the other would take the place out of the mesh; if it can be asked at all.
 */
const GREETING_MS = 2000;

async function within(limitMs: number, done: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, limitMs);
  await Promise.race([done, late.promise]);
  clearTimeout(timer);
}

/** Workers have sockets of their own beside that of their supervisor. */
function adminPlace({ admin, supervised }: ProxyOptions): AdminPlace {
  if (!("unix" in admin) || supervised == null) return admin;
  return { unix: `${admin.unix}.${supervised.worker}` };
}

function nodeOf(options: SidecarOptions | GatewayOptions): NodeRef {
  return options.mode === "sidecar"
    ? { kind: "sidecar", namespace: options.namespace, name: options.service }
    : { kind: "gateway", namespace: options.namespace, name: options.gateway };
}

/** A snapshot from disk that does not compile any more is no reason not to start. */
async function restore(
  kept: Snapshot,
  apply: (snapshot: Snapshot) => Promise<void>,
  log: Log,
): Promise<void> {
  try {
    await apply(kept);
    log.info("state.restored", { version: kept.version });
  } catch (e) {
    log.warn("state.ignored", { reason: e instanceof Error ? e.message : String(e) });
  }
}

async function readTrustBundle(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (e) {
    throw new Error(
      `Cannot read the trust bundle "${file}": ${e instanceof Error ? e.message : String(e)}. ` +
        "Fetch it from the control plane: GET /api/v1/trust-bundle",
    );
  }
}

async function readCredential(from: ControlOptions["joinToken"]): Promise<Credential | null> {
  if (from === null) return null;
  if ("token" in from) return from;
  const isJwt = "jwtFile" in from, file = isJwt ? from.jwtFile : from.file;
  try {
    const text = await Deno.readTextFile(file);
    return isJwt ? { jwt: text } : { token: text };
  } catch (e) {
    const hint = isJwt
      ? "Project a service account token of audience denim into the pod"
      : "Make one with: denim token create";
    const reason = e instanceof Error ? e.message : String(e);
    throw new JoinError(`Cannot read the join token "${file}": ${reason}. ${hint}`);
  }
}

function proxyLog(options: ProxyOptions): Log {
  return stderrLog(options.logLevel);
}

function assemble(
  options: ProxyOptions,
  modules: ModuleSource,
  listenAddress: string,
  keys: KeySource,
): Parts {
  enableScavenging();
  const log = proxyLog(options);
  const metrics = new Metrics();
  const reports = new WasmReports();
  const unknownKeys = new UnknownKeys();
  const factories = new Map<string, FilterFactory>([
    ...BUILT_IN_FILTERS,
    ["jwt", makeJwtFactory(unknownKeys)],
    ["wasm", makeWasmFactory({ modules, reports, component: makeComponentFactory() })],
  ]);
  const encoder = new TextEncoder();
  const accessLog = options.accessLog
    ? createAccessLog((line) => Deno.stderr.writeSync(encoder.encode(line + "\n")), Date.now, {
      filters: options.accessLogFilters ?? false,
    })
    : null;
  const engine = new Engine({
    clock: systemClock,
    random: systemRandom,
    log,
    metrics,
    factories,
    listenAddress,
    accessLog,
    keys,
    limits: options.limits ?? {},
    h2: options.h2 ?? {},
    overload: options.overload ?? {},
    ...(options.descriptors === undefined ? {} : { descriptors: options.descriptors }),
    resolve: createResolver(options.dns ?? []),
    reusePort: options.reusePort ?? false,
    inherited: options.supervised?.sockets ?? new Map(),
  });
  return { options, log, metrics, reports, unknownKeys, engine, startedMs: Date.now() };
}

/** CPU time this process has used. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function adminView(parts: Parts, appHealthy: () => boolean): AdminView {
  const { engine, metrics, reports, startedMs } = parts;
  return {
    metrics,
    notReady() {
      if (engine.snapshot === null) return "no configuration yet";
      const identity = engine.identity;
      if (identity !== null && identity.notAfterMs < Date.now()) {
        return "the certificate has expired";
      }
      if (engine.overloaded !== null) return `overloaded: ${engine.overloaded}`;
      return appHealthy() ? null : "the workload does not accept connections";
    },
    report: (): ProxyReport => ({
      version: engine.snapshot?.version ?? null,
      ready: engine.snapshot !== null,
      uptimeMs: Date.now() - startedMs,
      rssBytes: Deno.memoryUsage().rss,
      certExpiresMs: engine.identity?.notAfterMs ?? null,
      certIssuer: engine.identity?.issuer,
      appHealthy: appHealthy(),
      routes: engine.routes(),
      filters: reports.list(),
      cpuMs: cpuMs(),
      policies: policyReports(metrics),
      inbound: engine.inbound() ?? undefined,
    }),
    snapshot: () => engine.snapshot,
  };
}

function running(parts: Parts, admin: AdminDoor, stop: () => Promise<void>): RunningProxy {
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
      await stop(); // says bye, so that no more traffic is sent here
      await engine.drain(options.drainMs);
      await admin.close();
    },
  };
}
