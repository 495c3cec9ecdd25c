import { deepStrictEqual as same } from "node:assert/strict";
import type { BackendSpec, Snapshot } from "../../control/schema/snapshot.ts";
import { withApp } from "./app_ports.ts";

function backend(name: string, address?: string): BackendSpec {
  return {
    name,
    endpoints: address === undefined ? [] : [{ address }],
    balancer: { algorithm: "p2c" },
    connectTimeoutMs: 1,
    pool: { maxConnections: 1, maxPending: 1, idleTimeoutMs: 1 },
    outlier: null,
  };
}

Deno.test("withApp gives every port of the workload its address and leaves other backends alone", () => {
  const names = ["app", "app/tcp", "app:5432/tcp", "app:9090", "app/h2"];
  const snapshot: Snapshot = {
    version: "v",
    node: { kind: "sidecar", namespace: "default", name: "db" },
    listeners: [],
    backends: Object.fromEntries([
      ...names.map((name) => [name, backend(name)]),
      ["default/app:80", backend("default/app:80", "10.0.0.1:15006")],
    ]),
    modules: [],
    trust: { domain: "d", bundle: [] },
  };
  const { backends } = withApp(snapshot, {
    app: { host: "::1", port: 8080 },
    appPorts: new Map([[5432, { host: "127.0.0.1", port: 15432 }]]),
  });
  same(Object.values(backends).map((one) => [one.name, one.endpoints[0]!.address]), [
    ["app", "[::1]:8080"],
    ["app/tcp", "[::1]:8080"],
    ["app:5432/tcp", "127.0.0.1:15432"],
    ["app:9090", "[::1]:9090"],
    ["app/h2", "[::1]:8080"],
    ["default/app:80", "10.0.0.1:15006"],
  ]);
});
