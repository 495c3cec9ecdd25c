/** A control plane whose certificates Vault signs: what it hands out, and what happens while Vault is away. */
import assert from "node:assert/strict";
import { importAuthority } from "../../control/ca/mod.ts";
import { createKeyAndCsr, decodePem, parseCertificate } from "../../proxy/tls/mod.ts";
import { ControlProcess, eventually } from "../support/control.ts";
import { FakeProxy } from "../support/fake_proxy.ts";
import { HOW_TO_BUILD, isBuilt, VaultServer } from "../support/vault.ts";

const ROLE = {
  allowed_uri_sans: ["spiffe://mesh.local/ns/*"],
  require_cn: false,
  key_type: "ec",
  key_bits: 256,
  max_ttl: "720h",
  use_csr_sans: false,
  basic_constraints_valid_for_non_ca: true,
};

const built = await isBuilt();
if (!built) console.log(`skipped: ${HOW_TO_BUILD}`);

/** A folder whose authority is the root, and the flags that have Vault sign. */
async function prepare(
  vault: Pick<VaultServer, "url" | "token">,
  root: string,
): Promise<{ data: string; flags: string[] }> {
  const data = await Deno.makeTempDir({ prefix: "denim-vault-" });
  await Deno.writeTextFile(`${data}/vault.token`, vault.token, { mode: 0o600 });
  await Deno.writeTextFile(`${data}/company.pem`, root);
  await importAuthority({
    dir: `${data}/ca`,
    trustDomain: "mesh.local",
    root: `${data}/company.pem`,
    issuer: null,
    nowMs: Date.now(),
  });
  const sign = `${vault.url}/v1/pki/sign/denim`;
  return { data, flags: ["--vault-sign", sign, "--vault-token-file", `${data}/vault.token`] };
}

/** What a control plane says that cannot start. */
async function refusal(vault: Pick<VaultServer, "url" | "token">, root: string): Promise<string> {
  const { data, flags } = await prepare(vault, root);
  try {
    const ports = ["--listen", "127.0.0.1:0", "--mesh-listen", "127.0.0.1:0"];
    const { stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "cli/main.ts", "control", "--data", data, ...ports, ...flags],
      stdout: "null",
      signal: AbortSignal.timeout(20_000),
    }).output();
    assert.equal(success, false);
    return new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test({
  name: "A control plane has identities signed by Vault, and serves on while Vault is away",
  ignore: !built,
  async fn() {
    await using vault = await VaultServer.start();
    const root = await vault.foundPki("mesh.local");
    const { data, flags } = await prepare(vault, root);
    await using control = await ControlProcess.startIn(data, ...flags);
    assert.equal((await control.bundle()).trim(), root.trim());

    const web = await control.identity("default/web");
    assert.equal(web.id, "spiffe://mesh.local/ns/default/sa/web");
    const chain = decodePem(web.material.chainPem, "CERTIFICATE")!.map(parseCertificate);
    assert.equal(chain.length, 2, "leaf and intermediate, not the root");
    const certs = await control.denim("audit", "certs", "--serial", web.serial);
    assert.match(certs.out, /sa\/web/);
    const shown = await control.denim("ca", "show");
    assert.match(shown.out, /Signer +vault http:\/\/127\.0\.0\.1:\d+\/v1\/pki\/sign\/denim/);
    assert.match(shown.out, /intermediate +CN=Mesh intermediate/);

    // Without Vault the control plane still starts, with the certificate it had.
    await vault.stop();
    await control.restart();
    using proxy = FakeProxy.connect(control.mesh, web);
    proxy.hello("web");
    proxy.ack(await proxy.snapshot());
    // And a renewal fails without costing the proxy its connection.
    proxy.send({ type: "csr", csr: createKeyAndCsr().csrPem });
    assert.equal((await proxy.error()).code, "csr.failed");
    await control.apply({
      apiVersion: "denim.dev/v1",
      kind: "Service",
      metadata: { name: "other" },
      spec: { ports: [{ port: 80 }] },
    });
    await proxy.snapshot();
    await eventually(
      () => Promise.resolve(control.logs().join("\n")),
      (logs) => /svid.not_issued.*it cannot be reached.*Is it running and unsealed/.test(logs),
    );
  },
});

Deno.test({
  name: "A control plane says what Vault's role or token lacks",
  ignore: !built,
  async fn() {
    await using vault = await VaultServer.start();
    const root = await vault.foundPki("mesh.local", { allowed_uri_sans: [] });
    assert.match(
      await refusal(vault, root),
      /it answered 400 \(.*\): the role has to allow URI names of this trust domain/,
    );
    await using other = await VaultServer.start();
    const strange = await other.foundPki("mesh.local");
    assert.match(
      await refusal(other, root),
      /made a certificate that is not one for .*: No current authority of the trust bundle/,
      "Vault signs, but below another root than the one laid in",
    );
    await other.call("pki/roles/denim", { ...ROLE, use_csr_sans: true });
    assert.match(await refusal(other, strange), /it names "" .*use_csr_sans=false/);
    await other.call("pki/roles/denim", { ...ROLE, key_usage: ["DigitalSignature", "CertSign"] });
    assert.match(
      await refusal(other, strange),
      /made a certificate that is not one for .*key usage/,
    );
    const forbidden = { url: other.url, token: "hvs.nobody" };
    assert.match(await refusal(forbidden, strange), /it answered 403 .*its policy lacks/);
  },
});
