/** A filter that never returns, in a running mesh: its own requests fail as it says, nobody else's do. */
import assert from "node:assert/strict";
import { pushFilter } from "../../cli/filters/push.ts";
import { denim } from "../support/denim.ts";
import { http, Load } from "../support/http.ts";
import { meshRoute, startMesh, until } from "../support/mesh.ts";

const CACHE = new URL("../../.denim/build", import.meta.url).pathname;
const LOOP = new URL("../../examples/filters/loop-forever", import.meta.url).pathname;

const p99 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.99)] ?? 0;

function binding(failMode: "open" | "closed"): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "FilterBinding",
    metadata: { name: "loop-forever" },
    spec: {
      targetRefs: [{ kind: "HTTPRoute", group: "gateway.networking.k8s.io", name: "slow" }],
      module: { name: "denim/loop-forever" },
      phase: "TRANSFORM",
      capabilities: ["headers-read"],
      failMode,
    },
  };
}

Deno.test("A filter that loops for ever costs its own requests only, and denim get filters says why", async () => {
  const keys = await Deno.makeTempDir({ prefix: "denim-sandbox-" });
  const path = (value: string) => [{ path: { type: "PathPrefix", value } }];
  await using mesh = await startMesh({
    services: [{ name: "web", app: () => new Response("web") }],
    resources: [
      meshRoute("slow", [{ matches: path("/slow"), backendRefs: [{ name: "web", port: 80 }] }]),
      meshRoute("fast", [{ matches: path("/fast"), backendRefs: [{ name: "web", port: 80 }] }]),
    ],
  });
  await pushFilter(LOOP, mesh.client, { keyDir: keys, cacheDir: CACHE });

  const before = new Load({ url: `${mesh.gatewayUrl}/fast`, workers: 4 });
  await before.more(1500);
  const quiet = await before.stop();

  await mesh.apply([binding("closed")]);
  const beside = new Load({ url: `${mesh.gatewayUrl}/fast`, workers: 4 });
  const looping: string[] = [];
  for (let i = 0; i < 60; i++) {
    const answer = await http(`${mesh.gatewayUrl}/slow`);
    assert.equal(answer.status, 503, answer.body);
    looping.push(String(answer.headers["denim-fault"]));
    await beside.more(20);
  }
  const loaded = await beside.stop();
  assert.equal(looping[0], "wasm.out_of_fuel");
  // From the second trap on the filter rests between tries, so that it cannot spend the proxy's time.
  const spent = looping.filter((fault) => fault === "wasm.out_of_fuel").length;
  assert.ok(spent <= 10, `${spent} of ${looping.length} requests were let into the loop`);

  assert.deepEqual(quiet.failures, []);
  assert.deepEqual(loaded.failures, []);
  // Both ran in the same minute on the same machine; 5 ms of slack is what a scheduler may take.
  const limit = p99(quiet.latencies) * 2 + 5;
  assert.ok(
    p99(loaded.latencies) <= limit,
    `p99 ${p99(loaded.latencies)} ms beside a loop, ${p99(quiet.latencies)} ms without`,
  );

  const shown = await until(
    async () => {
      const { out } = await denim(["get", "filters", "--control", mesh.client.url]);
      return /backing-off|tripped/.test(out) ? out : null;
    },
    10_000,
    () => "denim get filters does not show the filter's state",
  );
  assert.match(shown, /loop-forever/);
  assert.match(shown, /fuel/i);

  await mesh.apply([binding("open")]);
  const open = await http(`${mesh.gatewayUrl}/slow`);
  assert.deepEqual([open.status, open.body], [200, "web"]);
  await Deno.remove(keys, { recursive: true });
});
