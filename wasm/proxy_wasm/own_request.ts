/** What a filter's own request gets from the proxy, by whichever ABI it was asked for. */
import type { Fields } from "../../core/fields.ts";
import { WASM_LIMITS } from "../limits.ts";
import type { Upstream } from "./host.ts";

/** Milliseconds; 0 is "no limit" to guests, which is no answer for a proxy. */
export function timeoutOf(ms: number): number {
  return ms === 0 ? WASM_LIMITS.callTimeoutMs : Math.min(ms, WASM_LIMITS.callTimeoutMs);
}

/**
 * The lines the upstream wants, the length of a body, and the way of the exchange it is made for: a call that
 * comes round to the filter that made it is a circle. `vias` null: there is no exchange.
 */
export function finishFields(
  fields: Fields,
  upstream: Upstream,
  length: number,
  vias: readonly string[] | null,
): void {
  for (let i = 0; i < upstream.fields.length; i += 2) {
    fields.set(upstream.fields[i]!, upstream.fields[i + 1]!);
  }
  if (length > 0) fields.set("content-length", String(length));
  if (vias === null) return;
  fields.remove("via");
  for (const via of vias) fields.append("via", via);
}
