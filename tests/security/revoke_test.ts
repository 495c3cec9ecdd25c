/** Revocation in a running mesh: open connections end, new ones are refused, in both directions, at once. */
import assert from "node:assert/strict";
import { denim } from "../support/denim.ts";
import { FakeProxy } from "../support/fake_proxy.ts";
import { http } from "../support/http.ts";
import { meshRoute, startMesh, type TestMesh, until } from "../support/mesh.ts";
import { Thief } from "../support/thief.ts";

/** Generous for a machine under load; the figures are those of `deno task bench revoke`. */
const SECONDS_MS = 3000;
const CATALOG = "spiffe://mesh.local/ns/default/sa/catalog";

/** A body that never ends. */
const drip = (): Response =>
  new Response(
    new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode("first")) }),
  );

function start(): Promise<TestMesh> {
  return startMesh({
    services: [
      { name: "web" },
      {
        name: "catalog",
        app: (request) => request.url.endsWith("/drip") ? drip() : new Response("catalog"),
      },
    ],
    resources: [meshRoute("shop", [{ backendRefs: [{ name: "catalog", port: 80 }] }])],
  });
}

async function verb(mesh: TestMesh, ...args: string[]) {
  const { url: DENIM_CONTROL, token: DENIM_TOKEN } = mesh.client;
  return await denim(args, { env: { DENIM_CONTROL, DENIM_TOKEN, USER: "ann" } });
}

/** Resolves when the response to a request that never ends has begun; its end as `cut`. */
async function endless(url: string, host: string): Promise<{ cut: Promise<number> }> {
  const response = await fetch(`${url}/drip`, { headers: { host } });
  const reader = response.body!.getReader();
  await reader.read();
  const cut = reader.read().then(
    () => assert.fail("an endless body ended in order"),
    () => performance.now(),
  );
  return { cut };
}

Deno.test("A revoked identity is out everywhere within moments, and back when it is undone", async (t) => {
  await using mesh = await start();
  using thief = await Thief.of(`${mesh.folder}/proxies/catalog`);
  const mesh7001 = String(mesh.process("control").line?.["mesh"]);
  const held = await Promise.all([
    thief.hold(mesh.inbound("web")),
    thief.hold(mesh.inbound("catalog")),
    thief.hold(mesh7001, true),
  ]);
  const throughGateway = await endless(mesh.gatewayUrl, "shop");
  const web = (path = "/") => http(mesh.outbound("web") + path, { headers: { host: "catalog" } });
  assert.equal((await web()).body, "catalog");

  await t.step("open connections end, whoever opened them", async () => {
    const startMs = performance.now();
    const { code, out, err } = await verb(mesh, "revoke", "default/catalog", "--reason", "stolen");
    assert.equal(code, 0, err);
    assert.match(out, /Revoked: spiffe:.*\nIn force at 2 proxies after \d+ ms/);
    // The sidecar whose own identity it is has not heard: it was cut off before.
    const others = [held[0]!, held[2]!];
    await until(() => others.every((one) => one.closedMs < Infinity) || null, SECONDS_MS);
    assert.ok(await throughGateway.cut - startMs < 30_000);
    assert.equal(
      (await mesh.logged("web", ({ msg }) => msg === "inbound.closed"))["reason"],
      "revoked",
    );
    assert.equal(
      (await mesh.logged("gateway", ({ msg }) => msg === "outbound.closed"))["reason"],
      "revoked",
    );
  });

  await t.step("new connections are refused, in both directions", async () => {
    assert.equal(await thief.isLetIn(mesh.inbound("web")), false);
    // Its endpoint is given to nobody any more; who would dial it all the same gets as far as the handshake.
    assert.equal((await web()).status, 503);
    const answer = await http(mesh.outbound("catalog"), { headers: { host: "web" } });
    assert.equal(answer.status, 503, answer.body);
    using proxy = FakeProxy.connect(mesh7001, thief.identity);
    assert.equal((await proxy.error()).code, "peer.revoked");
  });

  await t.step("it gets no token", async () => {
    const { code, err } = await verb(mesh, "token", "create", "--identity", "default/catalog");
    assert.equal(code, 1);
    assert.match(err, /is revoked. Undo that first: denim revoke --undo default\/catalog/);
  });

  await t.step("the list says who did it and why, also after a restart", async () => {
    await mesh.kill("control");
    await mesh.revive("control");
    const { out } = await verb(mesh, "revoke", "--list");
    assert.match(out, new RegExp(`^${CATALOG} .* never +ann +stolen$`, "m"));
    assert.equal(await thief.isLetIn(mesh.inbound("web")), false);
  });

  await t.step("undone, the running sidecar comes back by itself", async () => {
    const { code, err } = await verb(mesh, "revoke", "--undo", "default/catalog");
    assert.equal(code, 0, err);
    await until(async () => (await web()).status === 200 || null, 20_000);
    assert.equal(await thief.isLetIn(mesh.inbound("web")), true);
    await until(
      () => Deno.stat(`${mesh.folder}/proxies/catalog/identity.json`).catch(() => null),
      SECONDS_MS,
    );
  });
});

Deno.test("A revoked serial stops that certificate and no other of its identity", async () => {
  await using mesh = await start();
  const state = `${mesh.folder}/proxies/web`;
  using thief = await Thief.of(state);
  await thief.hold(mesh.inbound("catalog"));
  const serial = thief.identity.serial.toLowerCase().match(/../g)!.join(":");
  const { code, err } = await verb(mesh, "revoke", serial);
  assert.equal(code, 0, err);
  await until(() => thief.held.every((one) => one.closedMs < Infinity) || null, SECONDS_MS);
  await mesh.logged("web", ({ msg }) => msg === "identity.revoked");
  // With a new token the sidecar gets another certificate for the same name.
  await mesh.kill("web");
  await Deno.writeTextFile(`${state}/join.token`, await mesh.client.joinToken("default/web"));
  await mesh.revive("web");
  await until(async () => {
    const answer = await http(mesh.outbound("web"), { headers: { host: "catalog" } });
    return answer.status === 200 || null;
  }, 10_000);
  assert.equal(await thief.isLetIn(mesh.inbound("catalog")), false);
  const { revocations } = await mesh.client.get("/api/v1/revocations") as {
    revocations: { kind: string; expiresMs: number }[];
  };
  assert.deepEqual(revocations.map((one) => one.kind), ["serial"]);
  assert.equal(revocations[0]!.expiresMs, thief.identity.notAfterMs);
});

Deno.test("What cannot be meant is not revoked", async () => {
  await using mesh = await startMesh({ services: [{ name: "web" }], gateway: false });
  const refused = async (...args: string[]): Promise<string> => {
    const { code, err } = await verb(mesh, "revoke", ...args);
    assert.notEqual(code, 0);
    return err;
  };
  assert.match(await refused("5F3A"), /No certificate with serial 5F3A is in the issuance log/);
  assert.match(await refused("denim-system/control-plane"), /control plane's own/);
  const issued = (await Deno.readTextFile(`${mesh.folder}/data/ca/issued.jsonl`)).split("\n")[0]!;
  assert.match(await refused(JSON.parse(issued).serial), /control plane's own/);
  assert.match(await refused("not an identity"), /namespace\/name such as/);
  assert.match(await refused("--undo", "default/web"), /There is no revocation of/);
  assert.match(await refused(), /An identity or a serial is wanted/);
  const { code, out } = await verb(mesh, "revoke", "5F3A", "--expires", "1d");
  assert.equal(code, 0);
  assert.match(out, /Revoked: 5F3A/);
  const small = await verb(mesh, "revoke", "05:5f:3a", "--expires", "1d");
  assert.match(small.out, /Revoked: 055F3A/, "as the certificate has it");
});
