import assert from "node:assert/strict";
import type { FilterConfigs } from "../control/schema/filter_config.ts";
import { FakeEnv } from "./fakes.ts";
import { BUILT_IN_FILTERS } from "./registry.ts";

/** One config of each built-in kind, typed as the control plane writes it: both sides must agree. */
const WIRE: Omit<FilterConfigs, "wasm"> = {
  "timeout": { requestMs: 15_000, backendRequestMs: 0, untilHead: true },
  "retry": {
    attempts: 1,
    codes: [502, 503, 504],
    on: ["connect-failure", "reset", "status", "timeout", "non-idempotent"],
    backoffMs: 25,
    backoffMaxMs: 250,
    budgetPercent: 20,
    budgetIntervalMs: 10_000,
    minRetriesPerSecond: 10,
  },
  "breaker": { maxRequests: 1024, consecutiveFailures: 5, openMs: 30_000 },
  "request-headers": { set: [{ name: "x-a", value: "1" }], add: [], remove: ["x-b"] },
  "response-headers": { set: [], add: [], remove: [] },
  "redirect": { scheme: "https", path: { type: "ReplaceFullPath", value: "/" }, statusCode: 301 },
  "rewrite": { path: { type: "ReplacePrefixMatch", value: "/b", prefix: "/a" } },
};

for (const [kind, config] of Object.entries(WIRE)) {
  Deno.test(`The registry builds a ${kind} filter from its wire configuration`, async () => {
    const filter = await BUILT_IN_FILTERS.get(kind)!(config, new FakeEnv());
    const hooks = ["onRequestHead", "onResponseHead", "onAttempt"] as const;
    assert.ok(hooks.some((hook) => filter[hook] !== undefined));
  });
}

Deno.test("The registry knows every kind of the wire but wasm, which proxy/main.ts adds", () => {
  assert.deepEqual([...BUILT_IN_FILTERS.keys()].sort(), Object.keys(WIRE).sort());
});
