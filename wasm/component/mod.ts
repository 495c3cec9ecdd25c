/**
 * Runs component filters in the proxy: `makeWasmFactory({ modules, component: makeComponentFactory() })`;
 * `loadComponent(bundle, options)` gives one plugin by itself.
 *
 * The bundle was made and metered at admission (`wasm/build/component.ts`); nothing here compiles,
 * rewrites or trusts anything but what the digest in the snapshot names.
 * @module
 */
import { LoadedBundle } from "./loaded.ts";
import { type ComponentOptions, ComponentPlugin } from "./plugin.ts";

export { isBundle } from "./bundle.ts";
export { makeComponentFactory } from "./factory.ts";
export { createComponentFilter } from "./filter.ts";
export { KeyValues } from "./kv.ts";
export { LoadedBundle } from "./loaded.ts";
export { type ComponentOptions, ComponentPlugin } from "./plugin.ts";

/**
 * Loads a bundle and starts it with its configuration; rejects with the reason, the filter's own words
 * when it refused. Then `createComponentFilter(plugin, slot, closed)` puts it into a chain.
 */
export async function loadComponent(
  bundle: Uint8Array | LoadedBundle,
  options: ComponentOptions,
): Promise<ComponentPlugin> {
  const loaded = bundle instanceof LoadedBundle ? bundle : await LoadedBundle.load(bundle);
  const plugin = new ComponentPlugin(loaded, options);
  const reason = await plugin.ready();
  if (reason !== null) throw new Error(reason);
  return plugin;
}
