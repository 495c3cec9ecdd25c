/** Pods by their tokens: which identity each gets, and every way a token can be none. */
import assert from "node:assert/strict";
import type { JWTPayload } from "jose";
import { silentLog } from "../../core/log.ts";
import { TestIssuer } from "../../tests/support/issuer.ts";
import { podClaims, podToken } from "../../tests/support/pod.ts";
import { readConfig } from "../oidc/mod.ts";
import { kubernetesSchema } from "./config.ts";
import { ATTEST_LIMITS, KubernetesAttestor } from "./kubernetes.ts";

const HERE = "10.0.0.9";

async function withCluster(
  act: (parts: {
    readonly issuer: TestIssuer;
    readonly clock: { ms: number };
    readonly attestor: KubernetesAttestor;
    /** The identity, else code and reason. */
    readonly attest: (jwt: string, source?: string) => Promise<string>;
  }) => Promise<void>,
  over: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await using issuer = await TestIssuer.start();
  const clock = { ms: Date.now(), nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  const config = kubernetesSchema.parse({
    clusters: [{ issuer: issuer.url, keysUrl: `${issuer.url}/keys`, ...over }],
  });
  const options = { config, trustDomain: "mesh.test", clock, log: silentLog };
  const attestor = new KubernetesAttestor(options);
  const attest = async (jwt: string, source = HERE): Promise<string> => {
    const judged = await attestor.attest(jwt, source);
    return judged.ok ? judged.identity : `${judged.code} ${judged.reason}`;
  };
  await act({ issuer, clock, attestor, attest });
}

Deno.test("KubernetesAttestor gives a pod the identity of its service account, and says which pod", async () => {
  await withCluster(async ({ issuer, attestor }) => {
    const judged = await attestor.attest(await podToken(issuer), HERE);
    assert.deepEqual(judged, {
      ok: true,
      identity: "spiffe://mesh.test/ns/shop/sa/web",
      who: "system:serviceaccount:shop:web",
      about: `pod shop/web-7d9f (uid pod-1) of ${issuer.url}`,
    });
  });
});

Deno.test("KubernetesAttestor names identities by the rule of the cluster", async () => {
  await withCluster(async ({ issuer, attest }) => {
    assert.equal(await attest(await podToken(issuer)), "spiffe://mesh.test/ns/east-shop/sa/web.v1");
  }, { identity: "east-{namespace}/{serviceAccount}.v1" });
  for (const identity of ["web", "a/b/c", "{pod}/x", "UPPER/x", "/x", "{namespace}/"]) {
    const cluster = { issuer: "https://c.test", keysFile: "x", identity };
    assert.equal(kubernetesSchema.safeParse({ clusters: [cluster] }).success, false, identity);
  }
});

Deno.test("KubernetesAttestor refuses tokens that are not of this pod, this cluster or this audience", async () => {
  await withCluster(async ({ issuer, clock, attest }) => {
    const nowSeconds = Math.floor(clock.ms / 1000);
    const io = podClaims()["kubernetes.io"];
    const cases: readonly [string, JWTPayload, RegExp][] = [
      ["another audience", { aud: "https://kubernetes.default.svc" }, /claim "aud" is wrong/],
      ["no audience", { aud: undefined } as unknown as JWTPayload, /claim "aud" is missing/],
      ["another issuer", { iss: "https://other.test" }, /issuer is no configured cluster/],
      ["bound to no pod", { "kubernetes.io": { ...io, pod: undefined } }, /bound to no pod/],
      ["no bound claims", { "kubernetes.io": undefined }, /bound to no pod/],
      ["another subject", { sub: "system:serviceaccount:shop:admin" }, /subject is not/],
      ["another namespace", { "kubernetes.io": { ...io, namespace: "bank" } }, /subject is not/],
      ["too long a life", { exp: nowSeconds + 25 * 3600 }, /longer than a day/],
      ["no time of issue", { iat: undefined } as unknown as JWTPayload, /longer than a day/],
      ["not yet", { nbf: nowSeconds + 120 }, /claim "nbf" is wrong/],
    ];
    for (const [what, over, reason] of cases) {
      const told = await attest(await podToken(issuer, {}, over), what);
      assert.match(told, reason, what);
      assert.match(told, /^join\.bad_token /, what);
    }
    const over = await podToken(issuer, {}, { exp: nowSeconds - 31 });
    assert.match(await attest(over), /^join\.expired /);
    for (const text of ["", "x", "a.b.c", "denim-join-AAAA", "e".repeat(20_000)]) {
      assert.match(await attest(text, `nonsense ${text.slice(0, 9)}`), /^join\.bad_token /);
    }
    const [head, payload] = (await podToken(issuer)).split(".");
    assert.match(await attest(`${head}.${payload}.AAAA`, "forged"), /signature is wrong/);
  });
});

Deno.test("KubernetesAttestor gives nobody the control plane's name, nor one that is none", async () => {
  await withCluster(async ({ issuer, attest }) => {
    const system = { namespace: "denim-system", serviceAccount: "control-plane" };
    assert.match(await attest(await podToken(issuer, system)), /no proxy may have the name/);
    const odd = { serviceAccount: "web/../admin" };
    assert.match(await attest(await podToken(issuer, odd)), /no proxy may have the name/);
  });
  await withCluster(async ({ issuer, attest }) => {
    const told = await attest(await podToken(issuer, { namespace: "system" }));
    assert.match(told, /no proxy may have the name "denim-system\/web"/);
  }, { identity: "denim-{namespace}/{serviceAccount}" });
});

Deno.test("KubernetesAttestor lets pods of the named namespaces in only", async () => {
  await withCluster(async ({ issuer, attest }) => {
    assert.match(await attest(await podToken(issuer)), /^spiffe:/);
    const other = await podToken(issuer, { namespace: "bank" });
    assert.match(await attest(other), /pods of namespace "bank" may not join/);
  }, { namespaces: ["shop"] });
});

Deno.test("KubernetesAttestor takes a token again while it lives, but not without end", async () => {
  await withCluster(async ({ issuer, clock, attest }) => {
    const jwt = await podToken(issuer, {}, { exp: Math.floor(clock.ms / 1000) + 3600 });
    const { most, windowMs } = ATTEST_LIMITS.perPod;
    for (let n = 0; n < most; n++) assert.match(await attest(jwt, `${n}`), /^spiffe:/);
    assert.match(await attest(jwt), /^join\.too_often .*this pod joined too often/);
    const fresh = await podToken(issuer);
    assert.match(await attest(fresh), /^join\.too_often/, "a newer token of the same pod");
    const other = await podToken(issuer, { uid: "pod-2" });
    assert.match(await attest(other), /^spiffe:/, "another pod of the account");
    clock.ms += windowMs;
    assert.match(await attest(jwt), /^spiffe:/);
  });
});

Deno.test("KubernetesAttestor stops hearing an address that guesses", async () => {
  await withCluster(async ({ issuer, clock, attest }) => {
    for (let n = 0; n < ATTEST_LIMITS.bad.most; n++) await attest("guess", "10.6.6.6");
    const good = await podToken(issuer);
    assert.match(await attest(good, "10.6.6.6"), /too many bad tokens/);
    assert.match(await attest(good), /^spiffe:/, "others are heard");
    clock.ms += ATTEST_LIMITS.bad.windowMs;
    assert.match(await attest(good, "10.6.6.6"), /^spiffe:/);
  });
});

Deno.test("KubernetesAttestor reads keys from a file, again when they change", async () => {
  const dir = await Deno.makeTempDir({ prefix: "denim-keys-" });
  const keysFile = `${dir}/jwks.json`;
  await withCluster(async ({ issuer, clock, attest }) => {
    const first = await podToken(issuer);
    assert.match(await attest(first), /^join\.unavailable /, "no file yet");
    await Deno.writeTextFile(keysFile, JSON.stringify(issuer.keySet()));
    clock.ms += 10_000;
    assert.match(await attest(first), /^spiffe:/);
    await issuer.rotate("ES256");
    await Deno.writeTextFile(keysFile, JSON.stringify(issuer.keySet()));
    clock.ms += 10_001;
    assert.match(await attest(await podToken(issuer)), /^spiffe:/);
    assert.match(await attest(first), /no key of the issuer/);
  }, { keysFile, keysUrl: undefined });
  await Deno.remove(dir, { recursive: true });
});

Deno.test("KubernetesAttestor asks for keys with the token of a file, read each time", async () => {
  const tokenFile = await Deno.makeTempFile({ prefix: "denim-token-" });
  await Deno.writeTextFile(tokenFile, "ours\n");
  await withCluster(async ({ issuer, attest }) => {
    assert.match(await attest(await podToken(issuer)), /^spiffe:/);
    assert.equal(issuer.authorization, "Bearer ours");
  }, { tokenFile });
  await Deno.remove(tokenFile);
});

Deno.test("The clusters' file of docs/identity.md is one that is taken", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/identity.md", import.meta.url));
  const text = /^```\n(clusters:[^]*?)^```/m.exec(page)?.[1];
  const { clusters: [cluster] } = readConfig("clusters.yaml", kubernetesSchema, text!);
  assert.deepEqual(cluster!.namespaces, ["shop", "bank"]);
});

Deno.test("A cluster without keys, with two places for them, or named twice is refused", () => {
  const cluster = { issuer: "https://c.test" };
  const cases: readonly [unknown, RegExp][] = [
    [{ clusters: [cluster] }, /either keysFile or keysUrl/],
    [{ clusters: [{ ...cluster, keysFile: "a", keysUrl: "https://c.test" }] }, /either keysFile/],
    [{ clusters: [{ ...cluster, keysUrl: "http://c.test/keys" }] }, /wanted https/],
    [{ clusters: [{ ...cluster, keysFile: "a" }, { ...cluster, keysFile: "b" }] }, /issuer twice/],
    [{ clusters: [] }, /clusters/],
    [{ clusters: [{ ...cluster, keysFile: "a", audiences: ["x"] }] }, /audiences/],
  ];
  for (const [config, reason] of cases) {
    const result = kubernetesSchema.safeParse(config);
    assert.match(JSON.stringify(result.error?.issues), reason);
  }
});
