/** The whole way through a real mesh: gateway → web → catalog → reviews, each hop mTLS, each app an ordinary one. */
import assert from "node:assert/strict";
import { http } from "../support/http.ts";
import { meshRoute, meshService, startMesh, type TestMesh } from "../support/mesh.ts";

/** What each app saw: its own name, who the mesh says called, and what it got from the next one. */
interface Seen {
  readonly app: string;
  readonly peer: string;
  readonly next?: Seen;
}

/** An app that calls the next one through its sidecar, as an app does: by name, in plaintext. */
function hop(
  name: string,
  next: string | null,
  mesh: () => TestMesh,
): (r: Request) => Promise<Response> {
  return async (request) => {
    const seen: Seen = { app: name, peer: request.headers.get("x-denim-peer") ?? "" };
    if (next === null) return Response.json(seen);
    const version = request.headers.get("x-version");
    const answer = await http(mesh().outbound(name), {
      headers: { host: next, ...(version === null ? {} : { "x-version": version }) },
    });
    if (answer.status !== 200) return new Response(answer.body, { status: answer.status });
    return Response.json({ ...seen, next: JSON.parse(answer.body) });
  };
}

function demo(): Promise<TestMesh> {
  let mesh: TestMesh;
  const app = (name: string, next: string | null) => hop(name, next, () => mesh);
  const starting = startMesh({
    services: [
      { name: "web", app: app("web", "catalog") },
      { name: "catalog", app: app("catalog", "reviews") },
      { name: "reviews", labels: { version: "v1" }, app: app("v1", null) },
      { name: "reviews", labels: { version: "v2" }, app: app("v2", null) },
    ],
    resources: [
      meshService("reviews-v1", { from: "reviews", selector: { version: "v1" } }),
      meshService("reviews-v2", { from: "reviews", selector: { version: "v2" } }),
      meshRoute("shop", [{ backendRefs: [{ name: "web", port: 80 }] }]),
      meshRoute("reviews", [
        {
          matches: [{ headers: [{ name: "x-version", value: "v2" }] }],
          backendRefs: [{ name: "reviews-v2", port: 80 }],
        },
        {
          backendRefs: [
            { name: "reviews-v1", port: 80, weight: 90 },
            { name: "reviews-v2", port: 80, weight: 10 },
          ],
        },
      ], "reviews"),
    ],
  });
  return starting.then((started) => mesh = started);
}

Deno.test("A request goes from the edge through three services, each told who called", async (t) => {
  await using mesh = await demo();
  const id = (service: string): string => `spiffe://mesh.local/ns/default/sa/${service}`;

  await t.step("every hop knows its caller by certificate", async () => {
    const answer = await http(mesh.gatewayUrl);
    assert.equal(answer.status, 200, answer.body);
    const web = JSON.parse(answer.body) as Seen;
    assert.deepEqual([web.app, web.peer], ["web", id("edge")]);
    assert.deepEqual([web.next!.app, web.next!.peer], ["catalog", id("web")]);
    assert.equal(web.next!.next!.peer, id("catalog"));
  });

  await t.step("an identity header from outside is not believed", async () => {
    const answer = await http(mesh.gatewayUrl, { headers: { "x-denim-peer": id("admin") } });
    assert.equal((JSON.parse(answer.body) as Seen).peer, id("edge"));
  });

  await t.step("a header routes to v2", async () => {
    for (let i = 0; i < 20; i++) {
      const answer = await http(mesh.gatewayUrl, { headers: { "x-version": "v2" } });
      assert.equal((JSON.parse(answer.body) as Seen).next!.next!.app, "v2");
    }
  });

  await t.step("90/10 splits within statistical bounds", async () => {
    const requests = 1000;
    let v2 = 0;
    for (let i = 0; i < requests; i += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => http(mesh.gatewayUrl)));
      for (const answer of answers) {
        assert.equal(answer.status, 200, answer.body);
        if ((JSON.parse(answer.body) as Seen).next!.next!.app === "v2") v2++;
      }
    }
    // Binomial(1000, 0.1): mean 100, deviation 9.5. Five deviations err once in two million runs.
    assert.ok(v2 >= 53 && v2 <= 147, `${v2} of ${requests} went to v2`);
  });

  await t.step("between sidecars there is no plaintext", async () => {
    const answer = http(`http://${mesh.inbound("catalog")}/`);
    await assert.rejects(answer);
    await mesh.logged("catalog", (record) => record["msg"] === "inbound.refused");
  });

  await t.step("a host nobody knows and a path no route matches say so", async () => {
    const unknown = await http(mesh.outbound("web"), { headers: { host: "nobody" } });
    assert.deepEqual([unknown.status, unknown.headers["denim-fault"]], [404, "route.unknown_host"]);
  });
});
