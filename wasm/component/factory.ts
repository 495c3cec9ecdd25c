/** Component filters for the filter kind "wasm": one plugin per binding and configuration, one load per digest. */
import type { Filter, FilterEnv } from "../../core/filter.ts";
import type { WasmFilterConfig } from "../config.ts";
import type { WasmReports } from "../reports.ts";
import { upstreamsOf } from "../upstreams.ts";
import { createComponentFilter } from "./filter.ts";
import { KeyValues } from "./kv.ts";
import { LoadedBundle } from "./loaded.ts";
import { ComponentPlugin } from "./plugin.ts";

interface Shared {
  readonly plugin: Promise<ComponentPlugin>;
  users: number;
}

/** For `makeWasmFactory({ modules, component: makeComponentFactory() })`. */
export function makeComponentFactory(): (
  bytes: () => Promise<Uint8Array>,
  config: WasmFilterConfig,
  env: FilterEnv,
  reports: WasmReports,
) => Promise<Filter> {
  const shared = new Map<string, Shared>();
  const bundles = new Map<string, WeakRef<LoadedBundle>>();

  /** Bindings of the same module share its compiled code while one of them is in use. */
  async function load(digest: string, bytes: Uint8Array): Promise<LoadedBundle> {
    const known = bundles.get(digest)?.deref();
    if (known !== undefined) return known;
    const loaded = await LoadedBundle.load(bytes);
    for (const [key, ref] of bundles) if (ref.deref() === undefined) bundles.delete(key);
    bundles.set(digest, new WeakRef(loaded));
    return loaded;
  }

  async function start(
    bytes: () => Promise<Uint8Array>,
    config: WasmFilterConfig,
    env: FilterEnv,
    reports: WasmReports,
  ): Promise<ComponentPlugin> {
    const plugin = new ComponentPlugin(await load(config.digest, await bytes()), {
      name: env.name,
      digest: config.digest,
      config: config.config,
      capabilities: new Set(config.capabilities),
      permissions: config.permissions,
      trapped: (report) => reports.trapped(report),
      limits: {
        ...config.limits,
        fuelPerCall: config.fuelPerCall,
        memoryBytes: config.memoryBytes,
      },
      failOpen: config.failMode === "open",
      clock: env.clock,
      metrics: env.metrics,
      log: env.log,
      upstreams: upstreamsOf(config),
      kv: env.keep(`wasm.kv ${env.name}`, () => new KeyValues(env.clock)),
    });
    const reason = await plugin.ready();
    if (reason === null) return plugin;
    plugin.close();
    const name = config.module === "" ? config.digest : `${config.module}@${config.version}`;
    throw new Error(`module ${name} did not start: ${reason}`);
  }

  return async (bytes, config, env, reports) => {
    const key = JSON.stringify([env.name, config]);
    let held = shared.get(key);
    if (held === undefined) {
      held = { plugin: start(bytes, config, env, reports), users: 0 };
      shared.set(key, held);
      held.plugin.then((plugin) => reports.add(plugin), () => {});
    }
    const mine = held;
    mine.users++;
    const release = (plugin: ComponentPlugin | null): void => {
      if (--mine.users > 0) return;
      if (shared.get(key) === mine) shared.delete(key);
      if (plugin === null) return;
      reports.remove(plugin);
      plugin.close();
    };
    try {
      const plugin = await mine.plugin;
      plugin.adopt(env.calls);
      return createComponentFilter(plugin, env.slot, () => {
        plugin.abandon(env.calls);
        release(plugin);
      });
    } catch (error) {
      release(null);
      throw error;
    }
  };
}
