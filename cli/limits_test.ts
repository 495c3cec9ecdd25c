import assert from "node:assert/strict";
import { H2_EDGE_LIMITS, H2_LIMITS } from "../proxy/h2/limits.ts";
import { LISTENER_LIMITS } from "../proxy/listener_limits.ts";
import { OVERLOAD_LIMITS } from "../proxy/overload.ts";
import { limitNames, parseLimits } from "./limits.ts";

/** Rows of the tables of docs/operating.md: a limit's name, then its default, or those of mesh and edge. */
async function told(): Promise<string[][]> {
  const page = await Deno.readTextFile(new URL("../docs/operating.md", import.meta.url));
  return page.split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").slice(1, -2).map((cell) => cell.trim().replaceAll("`", "")));
}

Deno.test("docs/operating.md names every limit with the default it has", async () => {
  const rows = await told();
  assert.deepEqual(rows.map(([name]) => name!).sort(), limitNames().toSorted());
  for (const [name, ...values] of rows) {
    for (const [at, value] of values.entries()) {
      if (value === "none") continue;
      const defaults = {
        ...(at === 0 ? H2_LIMITS : H2_EDGE_LIMITS),
        // Names that HTTP/2 has too (body-timeout, body-min-rate) are those of listeners here.
        ...LISTENER_LIMITS,
        ...OVERLOAD_LIMITS,
      };
      const { limits, h2, overload } = parseLimits([`${name}=${value}`]);
      for (const [key, parsed] of Object.entries({ ...limits, ...h2, ...overload })) {
        assert.equal(parsed, Reflect.get(defaults, key), `${name} is told as ${value}`);
      }
    }
  }
});
