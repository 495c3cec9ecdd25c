/**
 * The filter kind "wasm": modules by digest, one plugin per binding and configuration, shared by all
 * routes and snapshots that use it, so that a new snapshot costs a running filter nothing.
 */
import type { Filter, FilterEnv, FilterFactory } from "../core/filter.ts";
import { crypto } from "../core/std_crypto.ts";
import { readConfig, type WasmFilterConfig } from "./config.ts";
import { WASM_LIMITS } from "./limits.ts";
import { compileModule } from "./module.ts";
import { createProxyWasmFilter } from "./proxy_wasm/filter.ts";
import { abiOf } from "./proxy_wasm/guest.ts";
import { LastGoodPlugins, NotStarted, type Shared } from "./last_good.ts";
import { Plugin, type PluginOptions } from "./proxy_wasm/plugin.ts";
import { SharedData } from "./proxy_wasm/shared_data.ts";
import { SharedQueues } from "./proxy_wasm/shared_queues.ts";
import { Permits } from "./permissions.ts";
import { WasmReports } from "./reports.ts";
import { upstreamsOf } from "./upstreams.ts";

/** Where admitted artefacts come from; rejects when there is none of that digest. */
export interface ModuleSource {
  get(digest: string): Promise<Uint8Array>;
}

/** Builds a filter of another ABI; `bytes` gets its artefact and checks its digest, which is for who has none yet. */
export type AbiFactory = (
  bytes: () => Promise<Uint8Array>,
  config: WasmFilterConfig,
  env: FilterEnv,
  reports: WasmReports,
) => Promise<Filter>;

export interface WasmFactoryOptions {
  readonly modules: ModuleSource;
  /** Filters in use are listed here. */
  readonly reports?: WasmReports;
  /** Runs artefacts with `abi: "component"`. */
  readonly component?: AbiFactory;
}

/** The row for the filter registry: `{ wasm: makeWasmFactory({ modules }) }`. */
export function makeWasmFactory(options: WasmFactoryOptions): FilterFactory {
  const factory = new WasmFactory(options);
  return (config, env) => factory.create(config, env);
}

/** What outlives a plugin. */
interface Kept {
  readonly data: SharedData;
  readonly queues: SharedQueues;
}

class WasmFactory {
  readonly #options: WasmFactoryOptions;
  readonly #reports: WasmReports;
  readonly #shared = new Map<string, Shared>();
  readonly #lastGood = new LastGoodPlugins();

  constructor(options: WasmFactoryOptions) {
    this.#options = options;
    this.#reports = options.reports ?? new WasmReports();
  }

  async create(value: unknown, env: FilterEnv): Promise<Filter> {
    const config = readConfig(value);
    if (config.abi === "component") {
      const { component } = this.#options;
      if (component === undefined) {
        throw new Error('"abi" is "component", which this proxy cannot run');
      }
      return await component(() => this.#bytes(config), config, env, this.#reports);
    }
    // Asked for every time, so that it is kept for as long as any snapshot has this binding.
    const scope = config.vmId === "" ? env.name : `${namespaceOf(env.name)} vm ${config.vmId}`;
    const data = env.keep(`wasm-shared-data/${scope}`, () => new SharedData());
    const queues = env.keep(`wasm-queues/${namespaceOf(env.name)}`, () => new SharedQueues());
    const key = JSON.stringify([env.name, config]);
    const refusal = this.#lastGood.refusal(env.name, key);
    if (refusal !== null) return this.#instead(env, key, refusal);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { plugin: this.#plugin(config, env, { data, queues }), users: 0 };
      this.#shared.set(key, shared);
    }
    shared.users++;
    try {
      const plugin = await shared.plugin;
      this.#lastGood.started(env.name, { key, shared, plugin });
      return this.#filter(plugin, env, key, shared);
    } catch (error) {
      this.#release(key, shared, null);
      if (!(error instanceof NotStarted)) throw error;
      env.log.warn("wasm.configuration_refused", { reason: error.reason });
      return this.#instead(env, key, error);
    }
  }

  /** Whoever configured it is told; who is served by it must not suffer for it. */
  #instead(env: FilterEnv, key: string, error: NotStarted): Filter {
    const good = this.#lastGood.instead(env.name, key, error);
    if (good === null) throw error;
    good.shared.users++;
    return this.#filter(good.plugin, env, good.key, good.shared);
  }

  #filter(plugin: Plugin, env: FilterEnv, key: string, held: Shared): Filter {
    plugin.adopt(env.calls);
    return createProxyWasmFilter(plugin, env, () => {
      plugin.abandon(env.calls);
      this.#release(key, held, plugin);
    });
  }

  #release(key: string, shared: Shared, plugin: Plugin | null): void {
    if (--shared.users > 0) return;
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
    if (plugin === null) return;
    this.#reports.remove(plugin);
    this.#lastGood.gone(plugin);
    plugin.close();
  }

  /** Compiles and starts: a module that traps or refuses its configuration never comes into force. */
  async #plugin(config: WasmFilterConfig, env: FilterEnv, shared: Kept): Promise<Plugin> {
    const bytes = await this.#bytes(config);
    const compiled = await compileModule(bytes);
    if (abiOf(compiled.exports) === null) {
      throw new Error(
        `module ${config.digest} exports no proxy_abi_version_* marker of a known version`,
      );
    }
    const plugin = new Plugin(compiled, pluginOptions(config, env, shared, this.#reports));
    const failure = plugin.start();
    if (failure !== null) {
      plugin.close();
      throw new NotStarted(nameOf(config), failure);
    }
    this.#reports.add(plugin);
    return plugin;
  }

  async #bytes({ digest, limits: { moduleMiB: maxMiB } }: WasmFilterConfig): Promise<Uint8Array> {
    const bytes = await this.#options.modules.get(digest);
    const most = maxMiB * 1024 * 1024;
    if (bytes.length > most) {
      throw new Error(
        `module ${digest} has ${bytes.length} bytes; its limit is ${most} ("moduleMiB": ${maxMiB})`,
      );
    }
    const actual = await sha256(bytes);
    if (actual !== digest) {
      throw new Error(`module ${digest} does not match its digest: its bytes have ${actual}`);
    }
    return bytes;
  }
}

/** `sha256:<hex>` of some bytes. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  const hex = Array.from(new Uint8Array(hash), (b) => b.toString(16).padStart(2, "0")).join("");
  return `sha256:${hex}`;
}

function pluginOptions(
  config: WasmFilterConfig,
  env: FilterEnv,
  { data, queues }: Kept,
  reports: WasmReports,
): PluginOptions {
  return {
    name: env.name,
    digest: config.digest,
    rootNames: config.rootId === undefined
      ? ["", config.module.slice(config.module.lastIndexOf("/") + 1), env.name]
      : [config.rootId],
    config: new TextEncoder().encode(config.config),
    capabilities: new Set(config.capabilities),
    permits: new Permits(config.permissions),
    trapped: (report) => reports.trapped(report),
    upstreams: upstreamsOf(config),
    calls: env.calls,
    limits: {
      ...config.limits,
      fuelPerCall: config.fuelPerCall,
      startFuel: Math.max(WASM_LIMITS.startFuel, config.fuelPerCall),
      memoryBytes: config.memoryBytes,
    },
    failOpen: config.failMode === "open",
    compat: config.compat,
    network: config.network,
    shared: data,
    queues,
    vmId: config.vmId,
    clock: env.clock,
    wheel: env.wheel,
    random: env.random,
    metrics: env.metrics,
    log: env.log,
  };
}

/** Of the binding a filter comes from. */
function namespaceOf(name: string): string {
  const at = name.indexOf("/");
  return at < 0 ? "" : name.slice(0, at);
}

function nameOf(config: WasmFilterConfig): string {
  return config.module === "" ? config.digest : `${config.module}@${config.version}`;
}
