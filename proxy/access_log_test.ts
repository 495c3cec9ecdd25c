import { deepStrictEqual as same } from "node:assert/strict";
import { Fields } from "../core/fields.ts";
import { FilterSpend } from "../wasm/route_costs.ts";
import { createAccessLog } from "./access_log.ts";
import type { Exchange } from "./exchange.ts";

class Spent extends FilterSpend {
  override readonly filterName = "default/tag";
  override fuelUsed = 1200;
  override usUsed = 3.14159;
}

function line(filters: boolean, slots: unknown[]): Record<string, unknown> {
  const lines: string[] = [];
  const log = createAccessLog((text) => lines.push(text), () => 0, { filters });
  const x = {
    request: { method: "GET", authority: "a", path: "/", fields: new Fields() },
    response: null,
    ending: null,
    fault: null,
    refusedBy: "",
    switchedMs: 0,
    version: "v1",
    slots,
  };
  log(x as unknown as Exchange, "http", 1);
  return JSON.parse(lines[0]!);
}

Deno.test("A line of the access log says what each Wasm filter cost, when it is asked to", () => {
  const slots = [undefined, new Spent(), 1];
  same(line(true, slots)["filters"], [{ name: "default/tag", fuel: 1200, us: 3.1 }]);
  same(line(true, [1])["filters"], undefined);
  same(line(false, slots)["filters"], undefined);
});
