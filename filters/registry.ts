/**
 * The table of filter kinds. A row is all it takes to add one; nothing registers itself by being
 * imported. `wasm` is not here: filters know nothing of Wasm, so proxy/main.ts adds its row.
 */
import type { Filter, FilterEnv, FilterFactory } from "../core/filter.ts";
import { createBreakerFilter } from "./breaker/filter.ts";
import { createRequestHeadersFilter, createResponseHeadersFilter } from "./headers/filter.ts";
import { createRedirectFilter } from "./redirect/filter.ts";
import { createRetryFilter } from "./retry/filter.ts";
import { createRewriteFilter } from "./rewrite/filter.ts";
import { createTimeoutFilter } from "./timeout/filter.ts";

/** Factory by the kind a FilterSpec names. */
export type FilterTable = Readonly<Record<string, FilterFactory>>;

/** The built-in policies. */
export const BUILT_IN_FILTERS: FilterTable = {
  "breaker": createBreakerFilter,
  "redirect": createRedirectFilter,
  "request-headers": createRequestHeadersFilter,
  "response-headers": createResponseHeadersFilter,
  "retry": createRetryFilter,
  "rewrite": createRewriteFilter,
  "timeout": createTimeoutFilter,
};

/** Builds one filter; an unknown kind or a bad configuration is an Error that names the policy. */
export async function createFilter(
  table: FilterTable,
  kind: string,
  config: unknown,
  env: FilterEnv,
): Promise<Filter> {
  const factory = Object.hasOwn(table, kind) ? table[kind] : undefined;
  if (factory === undefined) {
    const known = Object.keys(table).toSorted().join(", ");
    throw new Error(`Cannot build filter "${env.name}": no kind "${kind}", known are ${known}`);
  }
  try {
    return await factory(config, env);
  } catch (e) {
    const reason = e instanceof Error ? e.message : String(e);
    throw new Error(`Cannot build filter "${env.name}": ${reason}`, { cause: e });
  }
}
