/**
 * Certificates that live for seconds, and everything that can happen to them, under load: leafs renewed
 * over and over, one root replaced, one intermediate stolen. No request may fail.
 *
 *   deno task soak rotation 400       until so many certificates were issued; every test run has a short one
 */
import assert from "node:assert/strict";
import type { RotationStatus } from "../../control/ca/rotation.ts";
import { createKeyAndCsr } from "../../proxy/tls/mod.ts";
import { FakeProxy } from "../support/fake_proxy.ts";
import { Load } from "../support/http.ts";
import { meshRoute, startMesh, type TestMesh, until } from "../support/mesh.ts";
import { Thief } from "../support/thief.ts";

/** Leafs renewed, all together, before it is enough. */
const RENEWALS = Number(Deno.env.get("SOAK_RENEWALS") ?? 20);
const LEAF_TTL = "4s";

/** Certificates issued so far; the log of a run is far below the size at which it is put aside. */
async function issued(mesh: TestMesh): Promise<number> {
  const log = await Deno.readTextFile(`${mesh.folder}/data/ca/issued.jsonl`);
  return log.split("\n").length - 1;
}

async function rotate(mesh: TestMesh, body: Record<string, unknown>): Promise<RotationStatus> {
  await mesh.client.post("/api/v1/ca/rotation", body);
  let last: RotationStatus | null = null;
  return await until(
    async () => {
      const answer = await mesh.client.get("/api/v1/ca/rotation") as { rotation: RotationStatus };
      last = answer.rotation;
      return last.over ? last : null;
    },
    30_000,
    () => `The rotation does not end: ${JSON.stringify(last, null, 2)}`,
  );
}

Deno.test("Leafs, root and intermediate are replaced under load without a failed request", async (t) => {
  await using mesh = await startMesh({
    services: [{ name: "web" }, { name: "catalog" }],
    resources: [meshRoute("shop", [{ backendRefs: [{ name: "catalog", port: 80 }] }])],
    controlFlags: ["--leaf-ttl", LEAF_TTL],
  });
  const loads = [
    new Load({ url: mesh.gatewayUrl, workers: 4, pauseMs: 2 }),
    new Load({
      url: mesh.outbound("web"),
      headers: { host: "catalog" },
      workers: 4,
      pauseMs: 2,
    }),
  ];
  const bundle = await mesh.client.trustBundle();

  await t.step("a root", async () => {
    const { step } = await rotate(mesh, { kind: "root" });
    assert.equal(step, "done");
    assert.notEqual(await mesh.client.trustBundle(), bundle);
  });

  await t.step("an intermediate that was stolen", async () => {
    const ca = `${mesh.folder}/data/ca`;
    const web = "spiffe://mesh.local/ns/default/sa/web";
    using thief = await Thief.forging(ca, web, await mesh.client.trustBundle());
    const held = await thief.hold(mesh.inbound("catalog"));
    using stream = FakeProxy.connect(
      String(mesh.process("control").line?.["mesh"]),
      thief.identity,
    );
    const { step, oldIssuer } = await rotate(mesh, { kind: "intermediate", compromised: true });
    assert.equal(step, "done");
    const { revocations } = await mesh.client.get("/api/v1/revocations") as {
      revocations: { kind: string; subject: string }[];
    };
    assert.deepEqual(revocations.map((one) => [one.kind, one.subject]), [["key", oldIssuer]]);
    await until(() => held.closedMs < Infinity || null, 15_000);
    assert.equal(await thief.isLetIn(mesh.inbound("catalog")), false);
    // His stream stood before; a certificate of the new intermediate is not to be had by it.
    stream.send({ type: "csr", csr: createKeyAndCsr().csrPem });
    assert.equal((await stream.error()).code, "csr.not_yours");
  });

  await t.step("leafs", async () => {
    await until(
      async () => await issued(mesh) >= RENEWALS || null,
      60_000 + RENEWALS * 3000,
    );
  });

  for (const load of loads) {
    const { requests, failures } = await load.stop();
    assert.deepEqual(failures, []);
    assert.ok(requests > 100, `${requests} requests are no load`);
    console.log(`${requests} requests, none failed, ${await issued(mesh)} certificates issued`);
  }
});
