import assert from "node:assert/strict";
import type { BackendSpec, Snapshot } from "../../control/schema/snapshot.ts";
import { expandNames, namesOf } from "./expand_names.ts";

function snapshot(...addresses: string[]): Snapshot {
  const backend: BackendSpec = {
    name: "db",
    endpoints: addresses.map((address) => ({ address })),
    balancer: { algorithm: "p2c" },
    connectTimeoutMs: 1000,
    pool: { maxConnections: 1, maxPending: 1, idleTimeoutMs: 1 },
    outlier: null,
  };
  return {
    version: "1",
    node: { kind: "gateway", namespace: "default", name: "edge" },
    listeners: [],
    backends: { db: backend },
    modules: [],
    trust: { domain: "mesh.local", bundle: [] },
  };
}

Deno.test("expandNames makes an endpoint of each address and leaves addresses and unknown names alone", () => {
  const told = snapshot(
    "db.example:5432",
    "10.0.0.9:1",
    "[::1]:2",
    "gone.example:3",
    "localhost:4",
  );
  assert.deepEqual([...namesOf(told)], ["db.example", "gone.example"]);
  const expanded = expandNames(
    told,
    (name) => name === "db.example" ? ["10.0.0.1", "fd00::1"] : null,
  );
  assert.deepEqual(expanded.backends["db"]!.endpoints.map(({ address }) => address), [
    "10.0.0.1:5432",
    "[fd00::1]:5432",
    "10.0.0.9:1",
    "[::1]:2",
    "gone.example:3",
    "localhost:4",
  ]);
});

Deno.test("expandNames gives back the same snapshot when there is nothing to expand", () => {
  const told = snapshot("10.0.0.9:1", "localhost:4");
  assert.equal(expandNames(told, () => ["10.0.0.1"]), told);
});
