/** Issuers over https, by an authority of one's own (`caFile`): who is believed to be one, and who is not. */
import assert from "node:assert/strict";
import { ControlProcess } from "../support/control.ts";
import { FakeProxy } from "../support/fake_proxy.ts";
import { TestIssuer } from "../support/issuer.ts";
import { podToken } from "../support/pod.ts";
import { PublicAuthority } from "../support/tls.ts";

const company = new PublicAuthority(), other = new PublicAuthority();

/** What an operator's token and a pod's get from a control plane that believes `ca`. */
async function judged(
  name: string,
  ca: PublicAuthority | null,
): Promise<{ operator: string; pod: string; asked: number }> {
  await using issuer = await TestIssuer.start({ tls: company.issue(name) });
  const dir = await Deno.makeTempDir({ prefix: "denim-issuer-" });
  try {
    await Deno.writeTextFile(`${dir}/ca.pem`, ca?.rootPem ?? "");
    const trusted = ca === null ? {} : { caFile: `${dir}/ca.pem` };
    await Deno.writeTextFile(
      `${dir}/oidc.yaml`,
      JSON.stringify({
        ...{ issuer: issuer.url, audience: "denim", roles: { ops: "operator" } },
        ...trusted,
      }),
    );
    const cluster = { issuer: issuer.url, keysUrl: `${issuer.url}/keys`, ...trusted };
    await Deno.writeTextFile(`${dir}/clusters.yaml`, JSON.stringify({ clusters: [cluster] }));
    await using control = await ControlProcess.start(
      ...["--oidc", `${dir}/oidc.yaml`, "--kubernetes", `${dir}/clusters.yaml`],
    );
    const token = await issuer.sign({ sub: "ann", aud: "denim", groups: ["ops"] });
    const { status, body } = await control.call("GET", "/api/v1/services", undefined, {
      authorization: `Bearer ${token}`,
    });
    const joined = await FakeProxy.attest(
      control.mesh,
      await control.bundle(),
      await podToken(issuer),
    );
    return {
      operator: `${status} ${body.error?.code ?? ""}`.trim(),
      pod: "type" in joined ? joined.code : joined.id,
      asked: issuer.keysAsked,
    };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("An issuer is believed over https by the authority of its caFile and by its name alone", async (t) => {
  await t.step("the authority that is named", async () => {
    assert.deepEqual(await judged("localhost", company), {
      operator: "200",
      pod: "spiffe://mesh.local/ns/shop/sa/web",
      asked: 2,
    });
  });
  const nobody = { operator: "503 token_unavailable", pod: "join.unavailable", asked: 0 };
  await t.step("another authority", async () => {
    assert.deepEqual(await judged("localhost", other), nobody);
  });
  await t.step("those of the machine, which know nothing of it", async () => {
    assert.deepEqual(await judged("localhost", null), nobody);
  });
  await t.step("a good certificate of another host", async () => {
    assert.deepEqual(await judged("login.example", company), nobody);
  });
});
