import assert from "node:assert/strict";
import type { FilterView, ProxyView } from "../../control/view.ts";
import { type Look, topRows, topTable } from "./top.ts";

function look(filters: readonly [string, number, number, number][], cpuMs: number): Look {
  return {
    filters: filters.map(([name, exchanges, us, fuel]) => ({
      proxy: "p1",
      node: { kind: "sidecar", namespace: "default", name: "web" },
      listing: null,
      report: {
        name,
        digest: "sha256:0123456789abcdef",
        state: "running",
        calls: exchanges,
        exchanges,
        us,
        fuel,
        memoryBytes: 0,
        traps: 0,
        lastTrap: "",
        routes: [{ route: "default/r/0", exchanges, us, fuel, traps: 0 }],
      },
    } as unknown as FilterView)),
    proxies: [{ id: "p1", report: { cpuMs } } as unknown as ProxyView],
  };
}

Deno.test("denim top filters sorts by cost of a request over the interval, with the share of the CPU", () => {
  const before = look([["default/a", 100, 1000, 10_000], ["default/b", 10, 10_000, 500]], 1000);
  const after = look([["default/a", 200, 3000, 30_000], ["default/b", 10, 10_000, 500]], 1100);
  const rows = topRows(before, after);
  assert.deepEqual(
    rows.map((
      one,
    ) => [one.binding, one.exchanges, one.usPerRequest, one.fuelPerRequest, one.share]),
    [
      // Nothing passed meanwhile: since its start.
      ["default/b", 10, 1000, 50, (10 / 1100) * 100],
      ["default/a", 100, 20, 200, 2],
    ],
  );
  const text = topTable(rows);
  assert.match(text, /default\/a .* 20\.0 +200 +2\.0 % +0 +default\/r\/0/);
});
