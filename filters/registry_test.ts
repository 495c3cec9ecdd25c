import assert from "node:assert/strict";
import fc from "fast-check";
import type { FilterConfigs } from "../control/schema/filter_config.ts";
import { FakeEnv } from "./fakes.ts";
import { BUILT_IN_FILTERS } from "./registry.ts";

/** One config of each built-in kind, typed as the control plane writes it: both sides must agree. */
const WIRE: Omit<FilterConfigs, "wasm"> = {
  "authz": {
    trustDomain: "mesh.local",
    ports: [80],
    policies: [{
      name: "default/a",
      action: "DENY",
      dryRun: true,
      rules: [{
        from: [[{ key: "identity", not: true, values: ["*"] }]],
        to: [],
        when: [{ key: "claim", path: ["a"], values: ["b"] }],
      }],
    }],
  },
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
  "jwt": {
    policies: [{
      name: "default/users",
      required: true,
      rules: [{
        issuer: "https://issuer.example",
        audiences: ["shop"],
        algorithms: ["ES256", "EdDSA"],
        source: "https://issuer.example/keys",
        keys: [{ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }],
        clockSkewMs: 60_000,
        fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
        fromParams: ["access_token"],
        fromCookies: [],
        claimHeaders: [{ header: "x-user", claim: ["sub"] }],
        payloadHeader: "",
        forward: false,
      }],
    }],
  },
  "mtls": {},
  "ext-authz": {
    provider: "opa",
    policies: [{ name: "default/ask", rules: [{ from: [], to: [], when: [] }] }],
    place: { trustDomain: "mesh.test", ports: [80] },
    backend: "default/authz:80",
    fields: [{ name: "x-denim-port", value: "default/authz:9191" }],
    timeoutMs: 600,
    failOpen: false,
    statusOnError: 403,
    body: { maxBytes: 8192, allowPartial: true, packAsBytes: false },
    destination: { principal: "spiffe://t/ns/default/sa/web", service: "default/web" },
    http: { pathPrefix: "/check", include: ["x-*"], toUpstream: [], toClientOnAllow: [] },
  },
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

Deno.test("A factory builds a filter or says what it cannot read, whatever it is given", async () => {
  for (const [kind, good] of Object.entries(WIRE)) {
    const factory = BUILT_IN_FILTERS.get(kind)!;
    // Anything at all, and good configurations with one member spoilt.
    const spoilt = fc.tuple(fc.constantFrom("other", ...Object.keys(good)), fc.anything())
      .map(([field, value]) => ({ ...good, [field]: value }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), spoilt), async (config) => {
        try {
          assert.equal(typeof await factory(config, new FakeEnv()), "object");
        } catch (e) {
          assert.match((e as Error).message, /^Cannot read /);
        }
      }),
      { numRuns: 200 },
    );
  }
});
