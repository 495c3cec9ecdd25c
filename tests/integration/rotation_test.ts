/** A root's rotation as an operator sees it, with a control plane that is killed in every step. */
import assert from "node:assert/strict";
import { createKeyAndCsr, MeshIdentity } from "../../proxy/tls/mod.ts";
import type { RotationStatus } from "../../control/ca/rotation.ts";
import { ControlProcess, eventually } from "../support/control.ts";
import { FakeProxy, type Of } from "../support/fake_proxy.ts";

const bundleOf = ({ snapshot }: Of<"snapshot">): number => snapshot.trust.bundle.length;

async function status(control: ControlProcess): Promise<RotationStatus> {
  return (await control.call("GET", "/api/v1/ca/rotation")).body.rotation;
}

/** Waits until the control plane is in `step`. */
async function step(control: ControlProcess, wanted: string): Promise<RotationStatus> {
  return await eventually(() => status(control), (one) => one.step === wanted);
}

/** Renews as it is asked to, and says so. */
async function renew(proxy: FakeProxy, identity: MeshIdentity): Promise<MeshIdentity> {
  await proxy.next((one) => one.type === "renew");
  const { keyPem, csrPem } = createKeyAndCsr();
  proxy.send({ type: "csr", csr: csrPem });
  const { chain, bundle } = await proxy.next((one) => one.type === "svid") as Of<"svid">;
  const material = { ...identity.material, keyPem, chainPem: chain, bundle: [bundle] };
  return new MeshIdentity(material);
}

Deno.test("A root is replaced by a control plane that is killed in every step", async (t) => {
  await using control = await ControlProcess.start();
  let identity = await control.identity("default/web");
  const oldBundle = await control.bundle();
  /** What the proxy says it has in force when it comes. */
  let version: string | null = null;
  const connect = (): FakeProxy => {
    const proxy = FakeProxy.connect(control.mesh, identity);
    proxy.hello("web", { version });
    return proxy;
  };
  const ack = (proxy: FakeProxy, message: Of<"snapshot">): void => {
    version = message.snapshot.version;
    identity.replaceTrust("mesh.local", message.snapshot.trust.bundle);
    proxy.ack(message);
  };

  await t.step("trust", async () => {
    {
      using proxy = connect();
      ack(proxy, await proxy.snapshot());
      const { code, out, err } = await control.denim("ca", "rotate", "--root");
      assert.equal(code, 0, err);
      assert.match(out, /Step +trust.*\nWaits for +1 of 1 live proxies\nWay back +denim ca abort/);
      assert.equal(bundleOf(await proxy.snapshot()), 2);
      await control.restart();
    }
    assert.match((await control.denim("ca", "status")).out, /sidecar default\/web +away +is away/);
    using proxy = connect();
    const both = await proxy.snapshot();
    assert.equal(bundleOf(both), 2);
    await eventually(() => status(control), ({ waiting }) => waiting[0]?.connected === true);
    assert.match((await control.denim("ca", "rotate", "--force-step")).err, /1 connected proxies/);
    ack(proxy, both);
    await step(control, "renew");
  });

  await t.step("renew", async () => {
    await control.restart();
    assert.equal((await status(control)).step, "renew");
    using proxy = connect();
    const before = identity.issuer;
    identity = await renew(proxy, identity);
    assert.notEqual(identity.issuer, before);
    assert.equal((await status(control)).step, "renew", "it has not said that it uses it");
    proxy.report({ certExpiresMs: identity.notAfterMs, certIssuer: identity.issuer });
    await step(control, "retire");
  });

  await t.step("retire", async () => {
    await control.restart();
    const { code, err } = await control.denim("ca", "abort");
    assert.equal(code, 1);
    assert.match(err, /there is no way back/);
    using proxy = connect();
    proxy.report({ certExpiresMs: identity.notAfterMs, certIssuer: identity.issuer });
    const alone = await proxy.snapshot();
    assert.equal(bundleOf(alone), 1);
    assert.notEqual(alone.snapshot.trust.bundle.join(""), oldBundle);
    ack(proxy, alone);
    await step(control, "done");
  });

  await t.step("done", async () => {
    await control.restart();
    const { code, out } = await control.denim("ca", "status");
    assert.equal(code, 0);
    assert.match(out, /Step +done.*\nWhat to do Hand out the new trust bundle/);
    await assert.rejects(Deno.stat(`${control.data}/ca/rotation`));
    const joined = await control.identity("default/late");
    assert.equal(joined.issuer, identity.issuer);
  });
});

Deno.test("denim ca says how it is used", async () => {
  await using control = await ControlProcess.start();
  const both = await control.denim("ca", "rotate", "--root", "--intermediate");
  assert.equal(both.code, 2);
  assert.match(both.err, /Either --root or --intermediate is wanted/);
  const stolen = await control.denim("ca", "rotate", "--root", "--compromised");
  assert.equal(stolen.code, 1);
  assert.match(stolen.err, /compromised goes with kind intermediate/);
  assert.match((await control.denim("ca", "status")).out, /There was no rotation yet/);
  assert.match((await control.denim("ca", "abort")).err, /There is no rotation to abort/);
  const { code, out } = await control.denim("ca", "rotate", "--intermediate", "--wait");
  assert.equal(code, 0);
  assert.match(out, /^done$/m);
});

Deno.test("denim check has exit code 1 when somebody has to do something", async () => {
  await using control = await ControlProcess.start();
  const soon = await control.denim("check", "--at", "+30d");
  assert.equal(soon.code, 0, soon.err);
  assert.match(soon.out, /fine +leaf +the control plane itself/);
  assert.match(
    soon.out,
    /All that ends by .* is renewed by itself: looked at 1 root, 1 intermediate,/,
  );
  await Deno.remove(`${control.data}/ca/root.key`);
  const later = await control.denim("check", "--at", "+100d");
  assert.equal(later.code, 1);
  assert.match(later.out, /DUE +intermediate .*root's key .* is missing/);
  assert.equal((await control.denim("check", "--at", "soon")).code, 2);
});
