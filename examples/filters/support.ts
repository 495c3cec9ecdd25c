/** What the examples' tests share: an example built, admitted as the control plane does it, and run in the proxy's host. */
import { fileURLToPath } from "node:url";
import { NO_CALLS } from "../../core/calls.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { Filter } from "../../core/filter.ts";
import { createLog, silentLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { Wheel } from "../../core/timers.ts";
import {
  BuildError,
  buildFilter,
  createSigningKey,
  type Listing,
  Market,
  signStatement,
} from "../../control/market/mod.ts";
import { makeComponentFactory } from "../../wasm/component/mod.ts";
import { makeWasmFactory } from "../../wasm/filter.ts";
import { type WasmReport, WasmReports } from "../../wasm/reports.ts";
import { FakeExchange } from "../../wasm/testing/harness.ts";
import { copyAsVersion } from "./versions.ts";

/** Results of builds are kept between test runs; their names depend on everything that goes into them. */
const CACHE_DIR = fileURLToPath(new URL("../../.denim/build", import.meta.url));

/** What a build says when its compiler is not here, as opposed to when that compiler complains. */
const NO_COMPILER = /is not installed|has no standard library for Wasm/;

export interface Admitted {
  readonly listing: Listing;
  readonly artefact: Uint8Array;
}

/** Builds the example in `folder` (relative to this one) and takes it through the marketplace. */
export async function admitExample(folder: string, version = "1.0.0"): Promise<Admitted> {
  const temporary = await Deno.makeTempDir({ prefix: "denim-example-" });
  try {
    const dir = `${temporary}/${folder}`;
    await copyAsVersion(fileURLToPath(new URL(folder, import.meta.url)), dir, version);
    const built = await buildFilter(dir, { cacheDir: CACHE_DIR });
    const market = await Market.open(`${temporary}/market`, { clock: systemClock, log: silentLog });
    const { name } = built.manifest;
    const key = await createSigningKey(name.split("/")[0]!);
    await market.addPublisherKey(key.publisher, key.publicKey);
    const { bytes, manifestText: manifest } = built;
    const signed = await signStatement(key, { name, version, bytes, manifest });
    const listing = await market.admit({ bytes, manifest, ...signed });
    return { listing, artefact: (await market.module(listing.digest))! };
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** {@link admitExample} of one that needs a compiler which may not be here: null then, after saying so. */
export async function admitIfBuilt(folder: string): Promise<Admitted | null> {
  try {
    return await admitExample(folder);
  } catch (error) {
    if (!(error instanceof BuildError) || !NO_COMPILER.test(error.message)) throw error;
    console.log(`skipped: ${folder}: ${error.message}`);
    return null;
  }
}

export interface Hosted {
  readonly filter: Filter;
  readonly logs: Record<string, unknown>[];
  report(): WasmReport;
  exchange(...fields: string[]): FakeExchange;
}

/** Runs an admitted example as a binding would; granted what its listing says it may touch. */
export async function hostExample(
  { listing, artefact }: Admitted,
  binding: {
    readonly config?: string;
    readonly failMode?: "open" | "closed";
    readonly clock?: Clock;
  } = {},
): Promise<Hosted> {
  const { clock = systemClock } = binding;
  const reports = new WasmReports(), logs: Record<string, unknown>[] = [];
  const factory = makeWasmFactory({
    modules: { get: () => Promise.resolve(artefact) },
    reports,
    component: makeComponentFactory(),
  });
  const filter = await factory({
    abi: listing.abi,
    digest: listing.digest,
    module: listing.name,
    version: listing.version,
    config: binding.config ?? listing.config,
    fuelPerCall: listing.limits.fuelPerCall,
    memoryBytes: listing.limits.memoryMiB * 1024 * 1024,
    failMode: binding.failMode ?? "closed",
    capabilities: listing.capabilities,
    ...(listing.permissions === undefined ? {} : { permissions: listing.permissions }),
  }, {
    name: "default/example",
    slot: 0,
    backend: "default/app:80",
    clock,
    wheel: new Wheel(clock, { drive: false }),
    random: () => 0.5,
    metrics: new Metrics(),
    log: createLog((line) => logs.push(JSON.parse(line)), { level: "debug" }),
    calls: NO_CALLS,
    keep: (_key, make) => make(),
  });
  return {
    filter,
    logs,
    report: () => reports.list()[0]!,
    exchange: (...lines) => {
      const exchange = new FakeExchange(filter);
      exchange.request.fields.lines.push(...lines);
      return exchange;
    },
  };
}
