/** Pods that join a running control plane by the token of their cluster, whose issuer a test stands in for. */
import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "../../control/ca/x509.ts";
import { decodePem, encodePem, parseCertificate } from "../../proxy/tls/mod.ts";
import { ControlProcess, eventually } from "../support/control.ts";
import { Denim } from "../support/denim.ts";
import { FakeProxy } from "../support/fake_proxy.ts";
import { TestIssuer } from "../support/issuer.ts";
import { podToken } from "../support/pod.ts";

interface Stage extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly control: ControlProcess;
  readonly dir: string;
}

async function start(...flags: string[]): Promise<Stage> {
  const issuer = await TestIssuer.start();
  const dir = await Deno.makeTempDir({ prefix: "denim-attest-" });
  const cluster = { issuer: issuer.url, keysUrl: `${issuer.url}/keys` };
  await Deno.writeTextFile(`${dir}/clusters.yaml`, JSON.stringify({ clusters: [cluster] }));
  const control = await ControlProcess.start("--kubernetes", `${dir}/clusters.yaml`, ...flags);
  return {
    issuer,
    control,
    dir,
    async [Symbol.asyncDispose]() {
      await control[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function attest(control: ControlProcess, jwt: string): Promise<string> {
  const answer = await FakeProxy.attest(control.mesh, await control.bundle(), jwt);
  return "type" in answer ? answer.code : answer.id;
}

Deno.test("A pod joins by its token, and the audit log says which pod it was", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  const jwt = await podToken(issuer);
  assert.equal(await attest(control, jwt), "spiffe://mesh.local/ns/shop/sa/web");
  assert.equal(await attest(control, jwt), "spiffe://mesh.local/ns/shop/sa/web", "again");
  assert.equal(
    await attest(control, await podToken(issuer, {}, { aud: "other" })),
    "join.bad_token",
  );
  const over = await podToken(issuer, {}, { exp: Math.floor(systemClock.nowMs() / 1000) - 60 });
  assert.equal(await attest(control, over), "join.expired");
  const { body: { entries } } = await control.call("GET", "/api/v1/audit?limit=10");
  const pod = `pod shop/web-7d9f (uid pod-1) of ${issuer.url}`;
  const account = "system:serviceaccount:shop:web";
  const joined = [
    account,
    "kubernetes",
    "done",
    "",
    `spiffe://mesh.local/ns/shop/sa/web for ${pod}`,
  ];
  const told = entries.map((
    { who, proof, result, code, target }: Record<string, string>,
  ) => [who, proof, result, code, target]);
  assert.deepEqual(told, [
    ["unknown", "kubernetes", "refused", "join.expired", ""],
    ["unknown", "kubernetes", "refused", "join.bad_token", ""],
    joined,
    joined,
  ]);
  const text = control.logs().join("\n") +
    await Deno.readTextFile(`${control.data}/audit/changes.jsonl`);
  assert.ok(!text.includes(jwt.split(".")[2]!), "the token itself is nowhere");
});

Deno.test("Without a configured cluster nobody joins by a token of one; a proxy with a name does not either", async () => {
  await using issuer = await TestIssuer.start();
  await using control = await ControlProcess.start();
  assert.equal(await attest(control, await podToken(issuer)), "join.bad_token");
  await using stage = await start();
  const identity = await stage.control.identity("default/web");
  using proxy = FakeProxy.connect(stage.control.mesh, identity);
  proxy.send({ type: "attest", jwt: await podToken(stage.issuer), csr: "" });
  const answer = await proxy.next((one) => one.type === "error");
  assert.equal(answer.type === "error" && answer.code, "join.has_identity");
});

Deno.test("A request that asks for other names, to be a CA and for more gets a leaf with none of it", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=control-plane,O=system:masters",
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: "url", value: "spiffe://mesh.local/ns/denim-system/sa/control-plane" },
        { type: "dns", value: "*.example.com" },
        { type: "ip", value: "127.0.0.1" },
      ]),
      new BasicConstraintsExtension(true, 5, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const csr = encodePem(new Uint8Array(request.rawData), "CERTIFICATE REQUEST");
  const bundle = await control.bundle();
  const { body: { token } } = await control.call("POST", "/api/v1/tokens", {
    identity: "shop/web",
  });
  for (
    const message of [
      { type: "attest", jwt: await podToken(issuer), csr } as const,
      { type: "join", token, csr } as const,
    ]
  ) {
    const answer = await FakeProxy.enter(control.mesh, bundle, message);
    if (answer.type !== "svid") assert.fail(answer.message);
    const [der] = decodePem(answer.chain, "CERTIFICATE")!;
    const leaf = parseCertificate(der!);
    if (typeof leaf === "string") assert.fail(leaf);
    assert.deepEqual(leaf.uris, ["spiffe://mesh.local/ns/shop/sa/web"]);
    const read = new X509Certificate(der as Uint8Array<ArrayBuffer>);
    assert.equal(read.subject, "");
    const names = read.getExtension(SubjectAlternativeNameExtension)!.names.items;
    assert.deepEqual(names.map((one) => one.type), ["url"]);
    assert.equal(read.getExtension(BasicConstraintsExtension)?.ca ?? false, false);
    const usages = read.getExtension(KeyUsagesExtension)!.usages;
    assert.equal(usages & (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), 0);
    const wanted = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
    assert.deepEqual(new Uint8Array(read.publicKey.rawData), wanted, "the key is what counts");
  }
});

Deno.test("A sidecar joins by its pod's token, and again when its certificate expired while nobody could renew it", async () => {
  await using stage = await start("--leaf-ttl", "3s");
  const { issuer, control, dir } = stage;
  await Deno.writeTextFile(`${dir}/bundle.pem`, await control.bundle());
  await Deno.mkdir(`${dir}/tokens`);
  const write = async (text: string): Promise<void> =>
    await Deno.writeTextFile(`${dir}/tokens/token`, text, { mode: 0o600 });
  const minute = { exp: Math.floor(systemClock.nowMs() / 1000) + 60 };
  await write(await podToken(issuer, {}, minute));
  await using sidecar = new Denim([
    ...["proxy", "--service", "web", "--namespace", "shop", "--app", "127.0.0.1:1"],
    ...["--control", control.mesh, "--trust-bundle", `${dir}/bundle.pem`],
    ...["--join-jwt-file", `${dir}/tokens/token`, "--state", `${dir}/state`],
  ]);
  await sidecar.printed((one) => one.out.some((line) => line.includes('"ready":true')));
  const joins = async (): Promise<number> => {
    const { body } = await control.call("GET", "/api/v1/audit?limit=100&result=done");
    return body.entries.filter((one: { what: string }) => one.what === "join").length;
  };
  assert.equal(await joins(), 1);
  await sidecar.printed((one) => one.text.includes("identity.renewed"));
  assert.equal(await joins(), 1, "a certificate in date renews itself");

  await control.kill();
  await sidecar.printed((one) => one.text.includes("control.lost"));
  const { certExpiresMs } = await stats(sidecar);
  // The kubelet has replaced the token meanwhile; the one of before is worth nothing.
  await write(await podToken(issuer, {}, minute));
  await eventually(() => Promise.resolve(systemClock.nowMs() > certExpiresMs), (isOver) => isOver);
  await control.revive();
  await eventually(joins, (count) => count === 2);
  const before = sidecar.text.split("identity.renewed").length;
  await sidecar.printed((one) => one.text.split("identity.renewed").length > before);
  assert.equal(await joins(), 2, "and from then on by what it has");
});

async function stats(sidecar: Denim): Promise<{ certExpiresMs: number }> {
  const { admin } = JSON.parse(sidecar.out.find((line) => line.includes('"ready":true'))!);
  return await (await fetch(`${admin}/stats`)).json();
}
