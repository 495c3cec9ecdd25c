/** Servers that are not who we wanted to reach: refused in the handshake, before a byte is sent. */
import assert from "node:assert/strict";
import * as tls from "node:tls";
import { joinOptions, MeshIdentity, readTrustBundle } from "../../proxy/tls/mod.ts";
import { EKU } from "../../proxy/tls/certificate.ts";
import { type LeafOptions, stolenKeyPem, TestDomain, type TestSvid } from "../support/ca.ts";
import { Attacker } from "./attacker.ts";

const domain = new TestDomain("mesh.test");
const stranger = new TestDomain("mesh.test", { name: "Stranger" });
const CATALOG = domain.id("catalog");

/** What the client got: the server's bytes, or the code of its error. */
function reach(port: number, options: tls.ConnectionOptions): Promise<string> {
  return new Promise((done) => {
    const socket = tls.connect({ host: "127.0.0.1", port, ...options });
    let got = "";
    socket.on("secureConnect", () => socket.write("secret request"));
    socket.on("data", (bytes: Uint8Array) => got += new TextDecoder().decode(bytes));
    socket.on("error", (error: Error & { code?: string }) => got = error.code ?? error.message);
    socket.on("close", () => done(got));
  });
}

/** A refusal by the runtime: some code, but not the server's greeting and not nothing. */
const REFUSED_BY_TLS = /^(?!hello)[A-Z_0-9]+$/;

async function assertOutcome(
  shown: Pick<TestSvid, "chainPem" | "keyPem">,
  code: RegExp,
  more: { maxVersion?: "TLSv1.2" } = {},
): Promise<void> {
  await using attacker = Attacker.start();
  const port = await attacker.listen({ cert: shown.chainPem, key: shown.keyPem, ...more });
  const web = new MeshIdentity(domain.material("web"));
  assert.match(await reach(port, web.connectOptions(CATALOG)), code);
  // The same holds for the one connection made without an identity.
  const trust = readTrustBundle("mesh.test", [domain.rootPem]);
  assert.match(await reach(port, joinOptions(trust, CATALOG)), code);
}

Deno.test("The server that was wanted is reached", async () => {
  await assertOutcome(domain.issue("catalog"), /^hello from the attacker$/);
});

Deno.test("A server with another workload's good certificate is refused", async () => {
  await assertOutcome(domain.issue("reviews"), /^peer\.wrong_identity$/);
});

Deno.test("A server that breaks one rule of SVIDs is refused", async () => {
  const cases: readonly [RegExp, LeafOptions][] = [
    [/^peer\.san_count$/, { uris: [CATALOG, domain.id("other")] }],
    [/^peer\.bad_spiffe_id$/, { uris: [`${CATALOG}, URI:${domain.id("other")}`] }],
    [/^peer\.extended_key_usage$/, { extKeyUsage: null }],
    [REFUSED_BY_TLS, { extKeyUsage: [EKU.clientAuth] }], // here the runtime's own check comes first
    [REFUSED_BY_TLS, { notAfterMs: Date.now() - 1000 }],
  ];
  for (const [code, options] of cases) await assertOutcome(domain.issue("catalog", options), code);
});

Deno.test("A stranger's server is refused, whatever it calls itself", async () => {
  await assertOutcome(stranger.issue("catalog"), REFUSED_BY_TLS);
});

Deno.test("A server that shows a stolen certificate without its key is refused", async () => {
  const { chainPem, keys } = domain.issue("catalog");
  await assertOutcome({ chainPem, keyPem: stolenKeyPem(keys) }, REFUSED_BY_TLS);
});

Deno.test("A server that speaks nothing newer than TLS 1.2 is refused", async () => {
  await assertOutcome(domain.issue("catalog"), REFUSED_BY_TLS, { maxVersion: "TLSv1.2" });
});
