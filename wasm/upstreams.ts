/** Whom a filter may send requests of its own, by every name it may call them. */
import type { WasmFilterConfig } from "./config.ts";
import type { Upstream } from "./proxy_wasm/host.ts";

/** Where two share a name, the first holds. */
export function upstreamsOf(config: WasmFilterConfig): ReadonlyMap<string, Upstream> {
  const found = new Map<string, Upstream>();
  for (const upstream of config.upstreams) {
    for (const name of upstream.names) if (!found.has(name)) found.set(name, upstream);
  }
  return found;
}
