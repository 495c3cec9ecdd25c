/** Loads an admitted artefact as a proxy would, runs the reference trace through it and says what it costs. */
import { NO_CALLS } from "../../core/calls.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { Filter, FilterEnv } from "../../core/filter.ts";
import { silentLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { Wheel } from "../../core/timers.ts";
import { makeWasmFactory } from "../../wasm/filter.ts";
import { ComponentPlugin, createComponentFilter, LoadedBundle } from "../../wasm/component/mod.ts";
import type { HookName } from "../../wasm/inspect.ts";
import { type WasmReport, WasmReports } from "../../wasm/reports.ts";
import type { GivenPermissions } from "../../wasm/permissions.ts";
import { MARKET_LIMITS } from "./limits.ts";
import { REFERENCE, runExchange } from "./reference.ts";
import type { Measured } from "./types.ts";

export interface TrialInput {
  readonly abi: "proxy-wasm" | "component";
  readonly bytes: Uint8Array;
  readonly digest: string;
  /** `publisher/name`, by which some SDKs know their root context. */
  readonly name: string;
  readonly config: string;
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
  readonly capabilities: readonly string[];
  readonly permissions?: GivenPermissions | undefined;
}

export interface TrialResult {
  readonly measured: Measured;
  /** What configure() asked for; null for Proxy-Wasm, whose exports say it. */
  readonly hooks: readonly HookName[] | null;
  readonly bodies: boolean;
  /** Text of the last trap, "" for none. */
  readonly lastTrap: string;
}

interface Loaded {
  readonly filter: Filter;
  readonly report: () => WasmReport;
  readonly hooks: readonly HookName[] | null;
}

/** Rejects with the reason when the filter does not load, start or take its configuration. */
export async function runTrial(input: TrialInput): Promise<TrialResult> {
  const wheel = new Wheel(systemClock, { drive: false });
  const from = performance.now();
  const loaded = input.abi === "component"
    ? await loadComponent(input)
    : await loadProxyWasm(input, wheel);
  const instantiateMs = performance.now() - from;
  try {
    return { ...await measure(loaded, instantiateMs), hooks: loaded.hooks };
  } finally {
    loaded.filter.close?.();
  }
}

/** Loads and starts it, and no more. Rejects as {@link runTrial} does. */
export async function tryStart(input: TrialInput): Promise<void> {
  const loaded = input.abi === "component"
    ? await loadComponent(input)
    : await loadProxyWasm(input, new Wheel(systemClock, { drive: false }));
  loaded.filter.close?.();
}

async function loadProxyWasm(input: TrialInput, wheel: Wheel): Promise<Loaded> {
  const reports = new WasmReports();
  const modules = { get: () => Promise.resolve(input.bytes) };
  const filter = await makeWasmFactory({ modules, reports })({
    abi: "proxy-wasm",
    digest: input.digest,
    module: input.name,
    config: input.config,
    fuelPerCall: input.fuelPerCall,
    memoryBytes: input.memoryBytes,
    failMode: "closed",
    capabilities: input.capabilities,
    ...(input.permissions === undefined ? {} : { permissions: input.permissions }),
  }, trialEnv(systemClock, wheel));
  return { filter, report: () => reports.list()[0]!, hooks: null };
}

async function loadComponent(input: TrialInput): Promise<Loaded> {
  const plugin = new ComponentPlugin(await LoadedBundle.load(input.bytes), {
    name: "market/trial",
    digest: input.digest,
    config: input.config,
    capabilities: new Set(input.capabilities),
    ...(input.permissions === undefined ? {} : { permissions: input.permissions }),
    limits: { fuelPerCall: input.fuelPerCall, memoryBytes: input.memoryBytes },
    failOpen: false,
    clock: systemClock,
    metrics: new Metrics(),
    log: silentLog,
  });
  const reason = await plugin.ready();
  if (reason !== null) throw new Error(reason);
  const reports = new WasmReports();
  reports.add(plugin);
  return {
    filter: createComponentFilter(plugin, 0, () => plugin.close()),
    report: () => reports.list()[0]!,
    hooks: plugin.capabilities.phases,
  };
}

function trialEnv(clock: Clock, wheel: Wheel): FilterEnv {
  return {
    name: "market/trial",
    slot: 0,
    backend: "default/reference:80",
    clock,
    wheel,
    random: () => 0.5,
    metrics: new Metrics(),
    log: silentLog,
    calls: NO_CALLS,
    keep: (_key, make) => make(),
  };
}

async function measure(
  loaded: Loaded,
  instantiateMs: number,
): Promise<Omit<TrialResult, "hooks">> {
  const { filter, report } = loaded;
  const perCall: number[] = [], perExchange: number[] = [];
  let fuelMost = 0, fuel = 0, calls = 0;
  const began = performance.now();
  let yieldedMs = began;
  for (let round = 0; round < MARKET_LIMITS.exchanges; round++) {
    const startUs = performance.now() * 1000;
    runExchange(filter, REFERENCE[round % REFERENCE.length]!, (_hook, call) => {
      const before = report(), from = performance.now();
      const result = call();
      const us = (performance.now() - from) * 1000;
      const after = report();
      const entered = after.calls - before.calls;
      if (entered > 0) {
        perCall.push(us / entered);
        fuelMost = Math.max(fuelMost, (after.fuel - before.fuel) / entered);
      }
      fuel += after.fuel - before.fuel;
      calls += entered;
      return result;
    });
    perExchange.push(performance.now() * 1000 - startUs);
    const nowMs = performance.now(), tookMs = nowMs - began;
    if (report().state !== "running" || tookMs > MARKET_LIMITS.measureMs) break;
    if (tookMs > MARKET_LIMITS.enoughMs && round + 1 >= MARKET_LIMITS.enoughExchanges) break;
    if (nowMs - yieldedMs < MARKET_LIMITS.busyMs) continue;
    // The control plane has proxies to serve meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 0));
    yieldedMs = performance.now();
  }
  const last = report();
  return {
    measured: {
      fuelPerCall: Math.round(fuelMost),
      fuelMean: calls === 0 ? 0 : Math.round(fuel / calls),
      usPerCall: round(median(perCall), 100),
      usPerExchange: round(median(perExchange), 10),
      instantiateMs: round(instantiateMs, 100),
      memoryBytes: last.memoryBytes,
      traps: last.traps,
    },
    bodies: filter.onRequestData !== undefined || filter.onResponseData !== undefined,
    lastTrap: last.lastTrap,
  };
}

function median(values: number[]): number {
  if (values.length === 0) return 0;
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function round(value: number, by: number): number {
  return Math.round(value * by) / by;
}
