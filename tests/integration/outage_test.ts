/** The control plane dies by kill -9 and stays dead for a minute: traffic must not notice. */
import assert from "node:assert/strict";
import { OUTLIER_DEFAULTS } from "../../control/schema/defaults.ts";
import { http, Load } from "../support/http.ts";
import { meshRoute, startMesh, until } from "../support/mesh.ts";

/** As the promise is worded; shorter on a developer's request. */
const DEAD_MS = Number(Deno.env.get("OUTAGE_MS") ?? 60_000);

interface Proxies {
  readonly proxies: readonly { readonly state: string; readonly inForce: string | null }[];
}

Deno.test("A minute without a control plane fails no request, a sidecar restarted meanwhile serves from disk", async () => {
  const two = (version: string) => ({
    name: "web",
    labels: { version },
    app: () => new Response(`web ${version}`),
  });
  await using mesh = await startMesh({
    services: [two("a"), two("b")],
    resources: [meshRoute("web", [{ backendRefs: [{ name: "web", port: 80 }] }])],
  });
  const load = new Load({ url: mesh.gatewayUrl, workers: 4, pauseMs: 10 });
  await load.more(50);

  await mesh.kill("control");
  const deadAt = performance.now();
  await load.more(100);

  // A sidecar restarts while nobody can tell it anything: identity and snapshot come from its disk.
  const restarting = mesh.process("web-b");
  restarting.kill("SIGTERM");
  await restarting.stop();
  await load.more(50);
  await mesh.revive("web-b");
  await mesh.logged("web-b", (record) => record["msg"] === "state.restored");
  await until(
    async () => {
      const answer = await http(mesh.gatewayUrl);
      return answer.body === "web b" ? true : null;
    },
    // The requests it did not answer have ejected it; nobody can shorten that.
    OUTLIER_DEFAULTS.baseEjectionMs + 15_000,
    () => "The restarted sidecar gets no traffic",
  );

  await until(
    () => Promise.resolve(performance.now() - deadAt >= DEAD_MS ? true : null),
    DEAD_MS + 5_000,
  );
  const during = load.requests;
  await mesh.revive("control");
  // All of them come back, and a change reaches every one.
  await until(
    async () => {
      const { proxies } = await mesh.client.get("/api/v1/proxies") as Proxies;
      return proxies.filter((one) => one.state === "in force").length === 3 ? true : null;
    },
    30_000,
    () => "Not every proxy came back",
  );
  await mesh.apply([
    meshRoute("web", [{
      filters: [{
        type: "ResponseHeaderModifier",
        responseHeaderModifier: { set: [{ name: "x-after", value: "1" }] },
      }],
      backendRefs: [{ name: "web", port: 80 }],
    }]),
  ]);
  assert.equal((await http(mesh.gatewayUrl)).headers["x-after"], "1");
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.ok(during > 500, `only ${during} requests`);
});
