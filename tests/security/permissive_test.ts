/** A port that takes plaintext beside mTLS is no way to a name: neither on it nor on a strict one beside it. */
import assert from "node:assert/strict";
import { TestDomain } from "../support/ca.ts";
import { Attacker } from "./attacker.ts";
import { shownBy } from "./bad_svids.ts";
import { ASK, assertRefused, SECRET, Sidecar, VICTIM } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");
const stranger = new TestDomain("mesh.test", { name: "Stranger" });

/** What comes back for bytes on a bare connection. */
async function inPlaintext(port: number, text: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text));
  return await new Response(conn.readable).text();
}

Deno.test("A permissive port takes plaintext without a name, and TLS only with a good one", async () => {
  const resources = `${VICTIM}
apiVersion: denim.dev/v1
kind: PeerAuthentication
metadata: {name: migration}
spec: {targetRefs: [{kind: Service, name: victim}], mtls: {mode: PERMISSIVE}}
`;
  await using sidecar = await Sidecar.start(domain, { resources });
  await using attacker = Attacker.start();
  const port = sidecar.port();
  const forged = `x-denim-peer: ${domain.id("admin")}\r\nX_Denim_Peer: ${domain.id("admin")}\r\n`;
  const answer = await inPlaintext(port, ASK.replace("\r\n\r\n", `\r\n${forged}\r\n`));
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.ok(answer.endsWith(`${SECRET} for null`), answer);

  const { data } = await attacker.attack({ port, send: ASK, ...shownBy(domain.issue("web")) });
  assert.ok(data.endsWith(`${SECRET} for ${domain.id("web")}`), data);
  const ask = { port, send: ASK };
  await assertRefused(sidecar, () => attacker.attack(ask), "no_certificate");
  const evil = shownBy(stranger.issue("admin"));
  const first = await assertRefused(
    sidecar,
    () => attacker.attack({ ...ask, ...evil, save: "evil" }),
    "unknown_authority",
  );
  if (!first.saved) return;
  const again = await assertRefused(
    sidecar,
    () => attacker.attack({ ...ask, ...evil, resume: "evil" }),
    "resumed_session",
  );
  assert.equal(again.reused, true, "the attack must really resume");
});

Deno.test("A ticket from a permissive port opens no strict one in the same process", async () => {
  await using gateway = await Sidecar.start(domain, {
    listeners: ["strict", "loose"],
    permissive: ["loose"],
  });
  await using attacker = Attacker.start();
  const good = shownBy(domain.issue("web"));
  const [strict, loose] = [gateway.port("strict"), gateway.port("loose")];
  const { data } = await attacker.attack({ port: loose, send: ASK, ...good, save: "loose" });
  assert.match(data, /^HTTP\/1\.1 200 /);
  const across = await assertRefused(
    gateway,
    () => attacker.attack({ port: strict, send: ASK, ...good, resume: "loose" }),
    "resumed_session",
  );
  assert.equal(across.reused, true, "the attack must really resume");
  assert.match(await inPlaintext(loose, ASK), /^HTTP\/1\.1 200 /);
  const from = gateway.log.length;
  assert.ok(!(await inPlaintext(strict, ASK).catch(() => "")).includes("HTTP"));
  await gateway.logged({ msg: "inbound.refused", reason: "handshake", listener: "strict" }, from);
});
