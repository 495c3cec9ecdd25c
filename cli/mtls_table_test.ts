import assert from "node:assert/strict";
import type { InboundReport } from "../control/schema/protocol.ts";
import type { ProxyView } from "../control/view.ts";
import { mtlsTable, mtlsViews, QUIET_MS } from "./mtls_table.ts";

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

function proxy(name: string, uptimeMs: number, inbound: Partial<InboundReport>): ProxyView {
  const report = {
    version: "v",
    ready: true,
    uptimeMs,
    rssBytes: 0,
    certExpiresMs: null,
    appHealthy: true,
    routes: [],
    filters: [],
    inbound: {
      mode: "permissive" as const,
      mtls: { connections: 1, requests: 5 },
      plaintext: { connections: 0, requests: 0 },
      callers: [],
      forgotten: 0,
      ...inbound,
    },
  };
  return {
    id: name,
    node: { kind: "sidecar", namespace: "default", name },
    identity: "",
    labels: {},
    inbound: "10.0.0.1:1",
    admin: "",
    pid: 1,
    state: "in force",
    connectedMs: 0,
    heardMs: 0,
    target: null,
    version: null,
    revision: null,
    reason: "",
    report,
    samples: [],
  };
}

const caller = (address: string, agoMs: number, requests = 1) => ({
  address,
  connections: 1,
  requests,
  lastMs: NOW - agoMs,
});

const adviceOf = (...proxies: ProxyView[]): string => mtlsViews(proxies, NOW)[0]!.advice;

Deno.test("get mtls says STRICT is safe only after a quiet day", () => {
  const long = 40 * HOUR;
  assert.equal(adviceOf(proxy("a", long, {})), "safe to turn STRICT: no plaintext in 40h");
  assert.equal(adviceOf(proxy("a", HOUR, {})), "no plaintext in 60m; look again when it is 24h");
  assert.equal(
    adviceOf(proxy("a", long, { callers: [caller("10.0.0.7", 5000)] })),
    "wait: 10.0.0.7 came in plaintext 5s ago",
  );
  assert.equal(
    adviceOf(proxy("a", long, { callers: [caller("10.0.0.7", QUIET_MS + HOUR)] })),
    "safe to turn STRICT: no plaintext in 25h",
  );
  assert.equal(
    adviceOf(proxy("a", long, {}), proxy("a", HOUR, {})),
    "no plaintext in 60m; look again when it is 24h",
    "one proxy of the workload has only just begun to count",
  );
  assert.equal(adviceOf(proxy("a", long, { mode: "mesh" })), "");
  assert.match(adviceOf(proxy("a", long, { mode: "none" })), /begin with PERMISSIVE/);
});

Deno.test("get mtls adds up the proxies of a workload and shows its latest callers", () => {
  const plaintext = { connections: 2, requests: 3 };
  const views = mtlsViews([
    proxy("b", HOUR, { plaintext, callers: [caller("10.0.0.7", 9000, 2)], forgotten: 2 }),
    proxy("b", HOUR, {
      plaintext,
      callers: [caller("10.0.0.8", 1000), caller("10.0.0.7", 2000, 4)],
    }),
    proxy("a", HOUR, { mode: "mesh" }),
  ], NOW);
  assert.deepEqual(views.map((view) => [view.workload, view.mode, view.mtls, view.plaintext]), [
    ["default/a", "STRICT", 5, 0],
    ["default/b", "PERMISSIVE", 10, 6],
  ]);
  assert.deepEqual(views[1]!.callers.map((one) => [one.address, one.requests]), [
    ["10.0.0.8", 1],
    ["10.0.0.7", 6],
  ]);
  const text = mtlsTable(views, NOW);
  assert.match(text, /10\.0\.0\.8 +1s ago/);
  assert.match(text, /2 more/);
});
