import { deepStrictEqual as same, ok, throws } from "node:assert/strict";
import { H2_EDGE_LIMITS, H2_LIMITS } from "../proxy/h2/limits.ts";
import { limitNames, parseLimits } from "./limits.ts";

const page = await Deno.readTextFile(new URL("../docs/http.md", import.meta.url));

Deno.test("docs/http.md says what limits of HTTP/2 there are in the mesh and at the edge", () => {
  const rows = [...page.matchAll(/^\| `(h2-[a-z-]+)` *\| (\w+) *\| (\w+) *\|/gm)];
  ok(rows.length >= 7);
  for (const [, name, mesh, edge] of rows) {
    for (const [text, limits] of [[mesh, H2_LIMITS], [edge, H2_EDGE_LIMITS]] as const) {
      const { h2 } = parseLimits([`${name}=${text}`]);
      for (const [key, value] of Object.entries(h2)) {
        same(value, limits[key as keyof typeof limits], `${name}: ${text}`);
      }
    }
  }
});

Deno.test("parseLimits takes limits of listener, HTTP/2 and process, and says what is wrong with others", () => {
  same(parseLimits(["h2-streams=7", "head-timeout=2s", "max-in-flight=10"]), {
    limits: { headTimeoutMs: 2000 },
    h2: { concurrentStreams: 7 },
    overload: { maxInFlight: 10 },
  });
  throws(() => parseLimits(["h2-streems=7"]), /did you mean h2-streams/);
  throws(() => parseLimits(["h2-streams=7Ki"]), /wanted a whole number/);
  throws(() => parseLimits(["h2-connection-window=1000"]), /at least 65535 and at most 2147483647/);
  ok(limitNames().includes("h2-glitches"));
});
