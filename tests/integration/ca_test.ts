/** `denim ca` against a control plane. */
import assert from "node:assert/strict";
import { encodePem } from "../../proxy/tls/mod.ts";
import { TestDomain } from "../support/ca.ts";
import { ControlProcess } from "../support/control.ts";

Deno.test("denim ca show names root and intermediate, and no key", async () => {
  await using control = await ControlProcess.start("--trust-domain", "ca.test");
  const shown = await control.denim("ca", "show");
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /Trust domain +ca\.test/);
  assert.match(shown.out, /root +CN=Denim root, O=ca\.test +[0-9A-F]{32} /);
  assert.match(shown.out, /intermediate +CN=Denim intermediate/);
  const json = await control.denim("ca", "show", "-o", "json");
  const view = JSON.parse(json.out);
  assert.equal(view.signer, "local");
  assert.equal(view.roots.length, 1);
  assert.ok(!json.out.includes("PRIVATE"));
});

Deno.test("denim ca lists its verbs, and says when there is no such verb", async () => {
  await using control = await ControlProcess.start();
  assert.match((await control.denim("ca")).out, /denim ca show +roots/);
  const wrong = await control.denim("ca", "shwo");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /denim ca has no verb "shwo"/);
});

Deno.test("denim audit certs shows who got which certificate, and that a line is missing", async () => {
  await using control = await ControlProcess.start();
  const web = await control.identity("default/web");
  await control.identity("default/api");
  const shown = await control.denim("audit", "certs", "--identity", web.id, "--since", "1h");
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, new RegExp(`spiffe://mesh.local/ns/default/sa/web +${web.serial} `));
  assert.ok(!shown.out.includes("sa/api"));
  assert.match(shown.out, /3 lines from line 1 on; the last is line 3, sha256 [0-9a-f]{64}/);
  const short = await control.denim("audit", "certs", "--identity", "default/web");
  assert.ok(short.out.includes(web.serial), "an identity as all verbs take it");
  const one = await control.denim("audit", "certs", "--serial", web.serial, "-o", "json");
  assert.equal(JSON.parse(one.out).found.length, 1);

  const log = `${control.data}/ca/issued.jsonl`;
  const lines = (await Deno.readTextFile(log)).split("\n");
  await Deno.writeTextFile(log, lines.toSpliced(1, 1).join("\n"));
  const tampered = await control.denim("audit", "certs");
  assert.equal(tampered.code, 1);
  assert.match(tampered.err, /The log is not whole: lines 2 to 2 are missing/);
});

Deno.test("denim ca import lays in an authority, and the control plane issues with it", async () => {
  const company = new TestDomain("mesh.local");
  const year = { notAfterMs: Date.now() + 365 * 86_400_000 };
  const issuer = company.authority(company.root, year);
  await using control = await ControlProcess.start();
  await control.kill();
  const file = (name: string): string => `${control.data}/${name}`;
  await Deno.writeTextFile(file("root.pem"), company.rootPem);
  await Deno.writeTextFile(file("chain.pem"), encodePem(issuer.der, "CERTIFICATE"));
  const key = String(issuer.keys.privateKey.export({ format: "pem", type: "pkcs8" }));
  await Deno.writeTextFile(file("issuer.key"), key, { mode: 0o600 });
  const lay = ["ca", "import", "--data", control.data];
  const files = ["--chain", file("chain.pem"), "--key", file("issuer.key")];

  const late = await control.denim(...lay, ...files, "--root", file("root.pem"));
  assert.equal(late.code, 1);
  assert.match(late.err, /proxies that believe it would be locked out/);
  const foreign = await control.denim(...lay, ...files);
  assert.match(foreign.err, /chain.pem" .*was not signed by/);
  await Deno.remove(file("ca"), { recursive: true });
  const alone = await control.denim(...lay, "--root", file("root.pem"));
  assert.equal(alone.code, 0, alone.err);
  assert.match(alone.out, /stands under ".*root.pem" from the next start on; something else signs/);
  await Deno.remove(file("ca"), { recursive: true });
  const laid = await control.denim(...lay, ...files, "--root", file("root.pem"));
  assert.equal(laid.code, 0, laid.err);

  await control.revive();
  assert.equal(await control.bundle(), company.rootPem);
  const { material } = await control.identity("default/web");
  assert.ok(material.chainPem.endsWith(encodePem(issuer.der, "CERTIFICATE")));
});
