/** A configuration that a module refuses, or traps over, does not take the place of one that works. */
import type { Plugin } from "./proxy_wasm/plugin.ts";

/** A plugin and the filters that use it. */
export interface Shared {
  readonly plugin: Promise<Plugin>;
  users: number;
}

/** A module that refused its configuration, or trapped over it. */
export class NotStarted extends Error {
  override readonly name = "NotStarted";
  readonly reason: string;
  constructor(module: string, reason: string) {
    super(`module ${module} did not start: ${reason}`);
    this.reason = reason;
  }
}

export interface GoodPlugin {
  readonly key: string;
  readonly shared: Shared;
  readonly plugin: Plugin;
}

/** By binding: the plugins that started and are in use, the one that is wanted last. */
export class LastGoodPlugins {
  readonly #plugins = new Map<string, GoodPlugin[]>();
  /** What was refused last: it is not tried again for every route that names it. */
  readonly #refusals = new Map<string, { readonly key: string; readonly error: NotStarted }>();

  /** Its configuration is the one that is wanted now. */
  started(name: string, good: GoodPlugin): void {
    good.plugin.refused = "";
    const others = (this.#plugins.get(name) ?? []).filter((one) => one.plugin !== good.plugin);
    this.#plugins.set(name, [...others, good]);
    this.#refusals.delete(name);
  }

  /** What goes on instead; null: nothing is there that could. */
  instead(name: string, key: string, error: NotStarted): GoodPlugin | null {
    const good = this.#plugins.get(name)?.at(-1) ?? null;
    if (good === null) return null;
    this.#refusals.set(name, { key, error });
    good.plugin.refused = error.reason;
    return good;
  }

  /** Why this configuration was refused before; null: it was not, or there is nothing else to go on with. */
  refusal(name: string, key: string): NotStarted | null {
    const found = this.#refusals.get(name);
    return found?.key === key ? found.error : null;
  }

  gone(plugin: Plugin): void {
    for (const [name, ones] of this.#plugins) {
      const left = ones.filter((one) => one.plugin !== plugin);
      if (left.length > 0) this.#plugins.set(name, left);
      else {
        this.#plugins.delete(name);
        this.#refusals.delete(name);
      }
    }
  }
}
