/** The stream to proxies, spoken to by a fake one: joining, ACK and NACK, discovery, modules, restarts. */
import assert from "node:assert/strict";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import { ControlProcess, eventually } from "../support/control.ts";
import { FakeProxy } from "../support/fake_proxy.ts";

const service = (name: string, port = 80) => ({
  apiVersion: "denim.dev/v1",
  kind: "Service",
  metadata: { name },
  spec: { ports: [{ port }] },
});

/** Addresses of all endpoints of `default/NAME` that a snapshot names. */
function endpoints(snapshot: Snapshot, name: string): string[] {
  return Object.values(snapshot.backends).filter((one) => one.name.startsWith(`default/${name}:`))
    .flatMap((one) => one.endpoints.map((endpoint) => endpoint.address));
}

async function proxyRow(control: ControlProcess, name: string) {
  const { body } = await control.call("GET", "/api/v1/proxies");
  return body.proxies.find((one: { node: { name: string } }) => one.node.name === name);
}

Deno.test("A join token lets one proxy in, once, and only as who it was made for", async () => {
  await using control = await ControlProcess.start();
  const bundle = await control.bundle();
  const { status, body: { token } } = await control.call("POST", "/api/v1/tokens", {
    identity: "default/web",
  });
  assert.equal(status, 201);
  const first = await FakeProxy.join(control.mesh, bundle, token);
  assert.ok("id" in first);
  assert.equal(first.id, "spiffe://mesh.local/ns/default/sa/web");
  const second = await FakeProxy.join(control.mesh, bundle, token);
  assert.ok("code" in second);
  assert.equal(second.code, "join.bad_token");

  using liar = FakeProxy.connect(control.mesh, first);
  liar.hello("api");
  assert.equal((await liar.error()).code, "hello.wrong_identity");
  await liar.closed;
  assert.equal(await proxyRow(control, "api"), undefined);

  for (const identity of ["web", "default/", "denim-system/control-plane", "a/b/c", "D/web"]) {
    const answer = await control.call("POST", "/api/v1/tokens", { identity });
    assert.ok(answer.status === 400 || answer.status === 403, identity);
  }
});

Deno.test("A snapshot is in force when it is acked, and apply --wait waits for that", async () => {
  await using control = await ControlProcess.start();
  await control.apply(service("web"));
  using web = FakeProxy.connect(control.mesh, await control.identity("default/web"));
  web.hello("web");
  const first = await web.snapshot();
  assert.equal(first.revision, 1);
  assert.equal((await proxyRow(control, "web")).state, "behind");
  web.send({ type: "ack", nonce: "999", version: first.snapshot.version });
  web.send({ type: "ack", nonce: first.nonce, version: "another" });
  web.report();
  const row = await eventually(() => proxyRow(control, "web"), (one) => one.report !== null);
  assert.equal(row.state, "behind", "an answer to nothing that was sent is no ack");

  using again = FakeProxy.connect(control.mesh, await control.identity("default/web"));
  again.hello("web");
  const second = await again.snapshot();
  assert.equal(second.snapshot.version, first.snapshot.version);
  again.ack(second);
  await eventually(() => proxyRow(control, "web"), (one) => one.state === "in force");
  await web.closed; // the newer connection of the same proxy took its place

  await Deno.writeTextFile(`${control.data}/m.json`, JSON.stringify(service("api")));
  const waiting = control.denim("apply", "-f", `${control.data}/m.json`, "--wait");
  await again.settle((one) => "default/api:80" in one.backends);
  const { code, out } = await waiting;
  assert.equal(code, 0);
  assert.match(out, /In force in 1 proxy/);
});

Deno.test("A refused snapshot shows its reason, leaves the last good one, and is not sent again", async () => {
  await using control = await ControlProcess.start();
  await control.apply(service("web"));
  using web = FakeProxy.connect(control.mesh, await control.identity("default/web"));
  web.hello("web");
  const good = await web.settle(() => true);
  await control.apply(service("api"));
  const bad = await web.snapshot();
  web.nack(bad, "no filter of kind \u001b[31mred");
  const row = await eventually(() => proxyRow(control, "web"), (one) => one.state === "refused");
  assert.equal(row.reason, "no filter of kind \u001b[31mred");
  assert.equal(row.version, good.snapshot.version);

  const { body } = await control.call("GET", "/api/v1/converged?revision=2");
  assert.equal(body.converged, false);
  assert.equal(body.refused[0].name, "web");
  await Deno.writeTextFile(`${control.data}/m.json`, JSON.stringify(service("api")));
  const table = (await control.denim("get", "proxies")).out;
  assert.match(table, /web +sidecar +refused .*no filter of kind/);
  assert.ok(!table.includes("\u001b"), "what a proxy says cannot steer a terminal");

  // The same content under another revision: nothing is sent. The next other content is.
  const label = { ...service("api"), metadata: { name: "api", labels: { a: "b" } } };
  assert.equal((await control.apply(label)).body.revision, 3);
  await control.apply(service("third"));
  const next = await web.snapshot();
  assert.notEqual(next.snapshot.version, bad.snapshot.version);
  assert.equal(next.revision, 4);
  web.ack(next);
  await eventually(() => proxyRow(control, "web"), (one) => one.state === "in force");
});

Deno.test("A proxy that answers slowly is sent the newest snapshot only", async () => {
  await using control = await ControlProcess.start();
  await control.apply(service("web"));
  using web = FakeProxy.connect(control.mesh, await control.identity("default/web"));
  web.hello("web");
  const first = await web.snapshot();
  const converged = () => control.call("GET", "/api/v1/converged");
  for (let i = 1; i <= 5; i++) {
    await control.apply(service(`s${i}`));
    const { body } = await eventually(converged, (one) => one.body.published === i + 1);
    assert.equal(body.waiting.length, 1);
  }
  assert.deepEqual(web.unread, [], "nothing more is sent while it thinks");
  web.ack(first);
  const second = await web.snapshot();
  assert.equal(second.revision, 6);
  assert.ok("default/s5:80" in second.snapshot.backends);
});

Deno.test("Workloads come, fall ill, recover and leave in the snapshots of others", async () => {
  await using control = await ControlProcess.start("--lost-grace", "200ms");
  await control.apply(service("web"), service("api"));
  using web = FakeProxy.connect(control.mesh, await control.identity("default/web"));
  web.hello("web");
  await web.settle(() => true);
  using api = FakeProxy.connect(control.mesh, await control.identity("default/api"));
  api.hello("api", { inbound: "0.0.0.0:15002", labels: { version: "v1" } });
  const offered = await api.snapshot();
  assert.deepEqual(endpoints(offered.snapshot, "api"), [], "not before it has a configuration");
  api.ack(offered);
  const there = await web.settle((one) => endpoints(one, "api").length === 1);
  const [backend] = Object.values(there.snapshot.backends).filter((one) =>
    one.endpoints.length > 0
  );
  assert.deepEqual(backend?.endpoints, [{
    address: "127.0.0.1:15002",
    identity: "spiffe://mesh.local/ns/default/sa/api",
  }]);

  api.report({ appHealthy: false });
  await web.settle((one) => endpoints(one, "api").length === 0);
  api.report({ appHealthy: true });
  await web.settle((one) => endpoints(one, "api").length === 1);
  api.send({ type: "bye" });
  await web.settle((one) => endpoints(one, "api").length === 0);

  using back = FakeProxy.connect(control.mesh, await control.identity("default/api"));
  back.hello("api", { inbound: "127.0.0.1:15003", version: "some" });
  await web.settle((one) => endpoints(one, "api")[0] === "127.0.0.1:15003");
  back[Symbol.dispose]();
  await web.settle((one) => endpoints(one, "api").length === 0); // after the grace period
});

Deno.test("A restarted control plane keeps endpoints until their proxies had time to come back", async () => {
  await using control = await ControlProcess.start("--restart-grace", "1500ms");
  await control.apply(service("web"), service("api"));
  const identity = await control.identity("default/web");
  const connected = (): FakeProxy => {
    const proxy = FakeProxy.connect(control.mesh, identity);
    proxy.hello("web", { version: "some" });
    return proxy;
  };
  using web = connected();
  using api = FakeProxy.connect(control.mesh, await control.identity("default/api"));
  api.hello("api", { inbound: "127.0.0.1:15004", version: "some" });
  const before = await web.settle((one) =>
    endpoints(one, "api").length === 1 && endpoints(one, "web").length === 1
  );

  await control.restart();
  using after = connected();
  const first = await after.snapshot();
  assert.equal(first.snapshot.version, before.snapshot.version, "nothing has changed for it");
  after.ack(first);
  await after.settle((one) => endpoints(one, "api").length === 0); // it never came back
});

Deno.test("A proxy that comes back with what it should have is sent nothing", async () => {
  await using control = await ControlProcess.start();
  await control.apply(service("web"));
  const identity = await control.identity("default/web");
  using first = FakeProxy.connect(control.mesh, identity);
  first.hello("web");
  const { snapshot } = await first.settle((one) => endpoints(one, "web").length === 1);
  await control.restart();
  using second = FakeProxy.connect(control.mesh, identity);
  second.hello("web", { version: snapshot.version });
  await eventually(() => proxyRow(control, "web"), (one) => one?.state === "in force");
  assert.deepEqual(second.unread, []);
});

Deno.test("A proxy is given only modules of its own snapshot, and nonsense ends its connection", async () => {
  await using control = await ControlProcess.start();
  const identity = await control.identity("default/web");
  using web = FakeProxy.connect(control.mesh, identity);
  web.hello("web");
  await web.snapshot();
  web.send({ type: "module", digest: `sha256:${"0".repeat(64)}` });
  assert.equal((await web.error()).code, "module.not_yours");
  await web.closed;

  using rude = FakeProxy.connect(control.mesh, identity);
  rude.report();
  assert.equal((await rude.error()).code, "protocol.no_hello");
  using wrong = FakeProxy.connect(control.mesh, identity);
  wrong.hello("web", { labels: JSON.parse('{"a": 1}') });
  assert.equal((await wrong.error()).code, "protocol.bad_message");
});

Deno.test("A certificate is renewed on the connection it authenticates", async () => {
  await using control = await ControlProcess.start();
  const identity = await control.identity("default/web");
  const { createKeyAndCsr, MeshIdentity } = await import("../../proxy/tls/mod.ts");
  using web = FakeProxy.connect(control.mesh, identity);
  web.hello("web");
  const { keyPem, csrPem } = createKeyAndCsr();
  web.send({ type: "csr", csr: csrPem });
  const answer = await web.next((one) => one.type === "svid");
  assert.ok(answer.type === "svid");
  const renewed = new MeshIdentity({
    trustDomain: "mesh.local",
    keyPem,
    chainPem: answer.chain,
    bundle: [answer.bundle],
  });
  assert.equal(renewed.id, identity.id);
  assert.notEqual(renewed.serial, identity.serial);
});
