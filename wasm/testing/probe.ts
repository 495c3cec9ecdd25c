/** The probe filter, built and bundled once per test process, and an environment to run it in. */
import { fileURLToPath } from "node:url";
import type { Filter } from "../../core/filter.ts";
import { createLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { CAPABILITIES } from "../capabilities.ts";
import { bundleComponent } from "../build/component.ts";
import { buildTypeScript } from "../build/typescript.ts";
import { FakeClock, FakeExchange } from "./harness.ts";
import { createComponentFilter, LoadedBundle } from "../component/mod.ts";
import { type ComponentOptions, ComponentPlugin } from "../component/plugin.ts";

export const MEMORY_BYTES = 8 * 1024 * 1024;

const bundles = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** The admitted form of the probe, or of another filter of this folder. */
export function probeBundle(file = "probe_filter.ts"): Promise<Uint8Array<ArrayBuffer>> {
  let bundle = bundles.get(file);
  if (bundle === undefined) bundles.set(file, bundle = makeBundle(file));
  return bundle;
}

async function makeBundle(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempDir({ prefix: "denim-probe-" });
  try {
    const entry = fileURLToPath(new URL(file, import.meta.url));
    const component = await buildTypeScript(entry, out);
    return (await bundleComponent(component, { memoryBytes: MEMORY_BYTES })).bundle;
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

export interface Probe {
  readonly filter: Filter;
  readonly plugin: ComponentPlugin;
  readonly clock: FakeClock;
  readonly metrics: Metrics;
  readonly logs: Record<string, unknown>[];
  /** An exchange with `x-do: <what>`. */
  exchange(what?: string): FakeExchange;
}

/** A started probe; rejects with its own words when it refuses the configuration. */
export async function startProbe(
  settings: Partial<ComponentOptions> & {
    readonly slot?: number;
    readonly file?: string;
    readonly bundle?: Uint8Array;
  } = {},
): Promise<Probe> {
  const clock = new FakeClock(), metrics = new Metrics();
  const logs: Record<string, unknown>[] = [];
  const plugin = new ComponentPlugin(
    await LoadedBundle.load(settings.bundle ?? await probeBundle(settings.file)),
    {
      name: "default/probe",
      digest: "",
      config: "",
      capabilities: new Set(Object.keys(CAPABILITIES)),
      limits: { fuelPerCall: 50_000_000, memoryBytes: MEMORY_BYTES },
      failOpen: false,
      clock,
      metrics,
      log: createLog((line) => logs.push(JSON.parse(line)), { level: "debug" }),
      ...settings,
    },
  );
  const reason = await plugin.ready();
  if (reason !== null) throw new Error(reason);
  const filter = createComponentFilter(plugin, settings.slot ?? 0, () => plugin.close());
  return {
    filter,
    plugin,
    clock,
    metrics,
    logs,
    exchange: (what) => {
      const exchange = new FakeExchange(filter);
      if (what !== undefined) exchange.request.fields.append("x-do", what);
      return exchange;
    },
  };
}
