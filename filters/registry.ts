/**
 * The table of filter kinds. A row is all it takes to add one; nothing registers itself by being
 * imported. `wasm` is not here: filters know nothing of Wasm, so proxy/main.ts adds its row.
 */
import type { FilterFactory } from "../core/filter.ts";
import { createAuthzFilter } from "./authz/filter.ts";
import { createBreakerFilter } from "./breaker/filter.ts";
import { createRequestHeadersFilter, createResponseHeadersFilter } from "./headers/filter.ts";
import { createJwtFilter } from "./jwt/filter.ts";
import { createExtAuthzFilter } from "./ext_authz/filter.ts";
import { createMtlsFilter } from "./mtls/filter.ts";
import { createRedirectFilter } from "./redirect/filter.ts";
import { createRetryFilter } from "./retry/filter.ts";
import { createRewriteFilter } from "./rewrite/filter.ts";
import { createTimeoutFilter } from "./timeout/filter.ts";

/** The built-in policies by the kind a FilterSpec names. */
export const BUILT_IN_FILTERS: ReadonlyMap<string, FilterFactory> = new Map<string, FilterFactory>([
  ["authz", createAuthzFilter],
  ["breaker", createBreakerFilter],
  ["jwt", createJwtFilter],
  ["ext-authz", createExtAuthzFilter],
  ["mtls", createMtlsFilter],
  ["redirect", createRedirectFilter],
  ["request-headers", createRequestHeadersFilter],
  ["response-headers", createResponseHeadersFilter],
  ["retry", createRetryFilter],
  ["rewrite", createRewriteFilter],
  ["timeout", createTimeoutFilter],
]);
