import assert from "node:assert/strict";
import { Metrics } from "../core/metrics.ts";
import { Tunnels } from "./tunnels.ts";

/** Of an exchange only what is looked at. */
function tunnel() {
  const carried: number[][] = [];
  return {
    tunnelledUp: 0,
    tunnelledDown: 0,
    fault: "",
    carried,
    route: { stats: { carried: (up: number, down: number) => void carried.push([up, down]) } },
    fail(fault: { code: string }) {
      this.fault = fault.code;
    },
  };
}

function watch() {
  const metrics = new Metrics();
  const tunnels = new Tunnels(metrics, "l");
  const open = (): number => metrics.gauge("denim_tunnels_open", "", { listener: "l" }).value;
  return { tunnels, open };
}

Deno.test("Tunnels ends those without a byte for too long, and no others", () => {
  const { tunnels } = watch();
  const idle = tunnel(), up = tunnel(), down = tunnel();
  for (const one of [idle, up, down]) tunnels.add(one as never, 0);
  for (let now = 1000; now <= 5000; now += 1000) {
    up.tunnelledUp++;
    if (now === 4000) down.tunnelledDown++;
    tunnels.sweep(now, 3500);
  }
  assert.deepEqual([idle.fault, up.fault, down.fault], ["tunnel.idle", "", ""]);
});

Deno.test("Tunnels counts what they carry while they last, and what is left at their end", () => {
  const { tunnels, open } = watch();
  const one = tunnel();
  tunnels.add(one as never, 0);
  assert.equal(open(), 1);
  one.tunnelledUp = 5;
  tunnels.sweep(1000, Infinity);
  tunnels.sweep(2000, Infinity);
  one.tunnelledUp = 7;
  one.tunnelledDown = 3;
  tunnels.ended(one as never);
  tunnels.ended(one as never);
  assert.deepEqual(one.carried, [[5, 0], [2, 3]]);
  assert.equal(open(), 0);
});
