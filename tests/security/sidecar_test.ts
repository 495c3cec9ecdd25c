/**
 * Attacks on a running sidecar: a real process, a foreign TLS client, and nothing to go by but what
 * comes back over the socket and what the sidecar logs.
 */
import assert from "node:assert/strict";
import { type LeafOptions, stolenKeyPem, TestDomain } from "../support/ca.ts";
import { type Attack, Attacker, type AttackResult } from "./attacker.ts";
import { shownBy } from "./bad_svids.ts";
import { ASK, assertRefused, SECRET, Sidecar } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");
const stranger = new TestDomain("mesh.test", { name: "Stranger" });
/** A stranger's authorities that bear the very names of ours: only their signatures tell. */
const forger = new TestDomain("mesh.test");

type Certificate = Pick<Attack, "cert" | "key">;

/** The request is answered by the app, which is told this identity (a gateway tells it none). */
async function assertLetIn(
  attack: Promise<AttackResult>,
  identity: string | null,
): Promise<void> {
  const { data } = await attack;
  assert.match(data, /^HTTP\/1\.1 200 /);
  assert.ok(data.endsWith(`${SECRET} for ${identity}`), data);
}

Deno.test("A running sidecar lets in who proves an identity and refuses everybody else", async (t) => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  const port = sidecar.port();
  const knock = (certificate: Certificate, more: Partial<Attack> = {}): Promise<AttackResult> =>
    attacker.attack({ port, send: ASK, ...certificate, ...more });
  const refuses = (
    what: string,
    reason: string,
    certificate: Certificate,
    more: Partial<Attack> = {},
  ): Promise<boolean> =>
    t.step(`refused: ${what}`, async () => {
      await assertRefused(sidecar, () => knock(certificate, more), reason);
    });
  const leaf = (options: LeafOptions): Certificate => shownBy(domain.issue("low", options));
  const admin = domain.id("admin");

  await t.step(
    "let in: a workload of the mesh",
    () => assertLetIn(knock(shownBy(domain.issue("web"))), domain.id("web")),
  );
  await refuses("no certificate", "no_certificate", {});
  await refuses("a stranger's", "unknown_authority", shownBy(stranger.issue("admin")));
  await refuses("a forger's", "bad_signature", shownBy(forger.issue("admin")));
  await refuses("an expired one", "expired", leaf({ notAfterMs: Date.now() - 1000 }));
  await refuses("one of tomorrow", "not_yet_valid", leaf({ notBeforeMs: Date.now() + 3_000_000 }));
  await refuses("one of another trust domain", "wrong_trust_domain", {
    ...leaf({ uris: ["spiffe://other.test/ns/default/sa/admin"] }),
  });
  await refuses(
    "one without extended key usage",
    "extended_key_usage",
    leaf({ extKeyUsage: null }),
  );
  await refuses("an authority's", "leaf_is_ca", leaf({ isCa: true, keyUsage: [1, 0x06] }));
  await refuses("one with two names", "san_count", leaf({ uris: [domain.id("low"), admin] }));
  await refuses("a comma in a name", "bad_spiffe_id", {
    ...leaf({ uris: [`${domain.id("low")}, URI:${admin}`] }),
  });
  await refuses("a NUL in a name", "bad_spiffe_id", leaf({ uris: [`${admin}\0.low`] }));
  await refuses("a host name that reads like a URI", "san_count", {
    ...leaf({ uris: [], dnsNames: [`x, URI:${admin}`] }),
  });
  await refuses("TLS 1.2", "handshake", shownBy(domain.issue("web")), { maxVersion: "TLSv1.2" });
  const victim = domain.issue("admin");
  await refuses("a stolen certificate without its key", "handshake", {
    cert: victim.chainPem,
    key: stolenKeyPem(victim.keys),
  });
  await t.step("refused: plaintext", async () => {
    const from = sidecar.log.length;
    const conn = await Deno.connect({ port });
    await conn.write(new TextEncoder().encode(ASK));
    const answer = await new Response(conn.readable).text().catch(() => "");
    assert.ok(!answer.includes("HTTP"), answer);
    await sidecar.logged({ msg: "inbound.refused", reason: "handshake" }, from);
  });
  await t.step(
    "still let in: a workload of the mesh",
    () => assertLetIn(knock(shownBy(domain.issue("web"))), domain.id("web")),
  );
});

Deno.test("A running sidecar takes no header for an identity", async () => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  const forged = `x-denim-peer: ${domain.id("admin")}\r\nx-forwarded-client-cert: URI=x\r\n`;
  const send = ASK.replace("\r\n\r\n", `\r\n${forged}\r\n`);
  const good = shownBy(domain.issue("web"));
  await assertLetIn(attacker.attack({ port: sidecar.port(), send, ...good }), domain.id("web"));
});

Deno.test("A running sidecar sends nothing to an upstream that is not who it should be", async () => {
  await using attacker = Attacker.start();
  const say = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
  const identity = domain.id("catalog");
  const upstream = async (shows: Certificate) => {
    const port = await attacker.listen({ cert: shows.cert!, key: shows.key!, say });
    return { address: `127.0.0.1:${port}`, identity };
  };
  const { chainPem, keys } = domain.issue("catalog");
  await using sidecar = await Sidecar.start(domain, {
    upstreams: {
      good: await upstream(shownBy(domain.issue("catalog"))),
      other: await upstream(shownBy(domain.issue("reviews"))),
      stranger: await upstream(shownBy(stranger.issue("catalog"))),
      thief: await upstream({ cert: chainPem, key: stolenKeyPem(keys) }),
    },
  });
  assert.deepEqual(await sidecar.call("good"), { status: 200, body: "hello" });
  for (const host of ["other", "stranger", "thief"]) {
    const { status, body } = await sidecar.call(host);
    assert.equal(status, 503, host);
    assert.ok(!body.includes("hello"));
  }
  await sidecar.logged({ msg: "outbound.refused", reason: "wrong_identity", expected: identity });
});

Deno.test("A running sidecar resumes no session, neither a good peer's nor a refused one's", async () => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  const port = sidecar.port();
  const good = shownBy(domain.issue("web"));
  await assertLetIn(attacker.attack({ port, send: ASK, ...good, save: "good" }), domain.id("web"));
  const again = await assertRefused(
    sidecar,
    () => attacker.attack({ port, send: ASK, ...good, resume: "good" }),
    "resumed_session",
  );
  assert.equal(again.reused, true, "the attack must really resume");
  // The handshake of a stranger succeeds until our own verification, so it may bear a ticket.
  const evil = shownBy(stranger.issue("admin"));
  const first = await assertRefused(
    sidecar,
    () => attacker.attack({ port, send: ASK, ...evil, save: "evil" }),
    "unknown_authority",
  );
  if (!first.saved) return;
  const second = await assertRefused(
    sidecar,
    () => attacker.attack({ port, send: ASK, ...evil, resume: "evil" }),
    "resumed_session",
  );
  assert.equal(second.reused, true);
});

Deno.test("A running proxy refuses a ticket that another of its listeners gave", async () => {
  await using gateway = await Sidecar.start(domain, { listeners: ["a", "b"] });
  await using attacker = Attacker.start();
  const good = shownBy(domain.issue("web"));
  const ask = { send: ASK, ...good };
  await assertLetIn(attacker.attack({ port: gateway.port("a"), ...ask, save: "a" }), null);
  const across = await assertRefused(
    gateway,
    () => attacker.attack({ port: gateway.port("b"), ...ask, resume: "a" }),
    "resumed_session",
  );
  assert.equal(across.reused, true, "the attack must really resume");
});

Deno.test("A running proxy refuses at a mesh listener a ticket from its HTTPS listener, with a certificate or without", async () => {
  const edge = domain.issue("x", { uris: [], dnsNames: ["shop.test"] });
  await using gateway = await Sidecar.start(domain, { listeners: ["mesh"], edge });
  await using attacker = Attacker.start();
  const [world, mesh] = [gateway.port("edge"), gateway.port("mesh")];
  // A ticket is bound to the server name it was given for, so the attack keeps to one.
  const ask = { send: ASK, servername: "shop.test" };
  const evil = shownBy(stranger.issue("admin"));
  for (const [save, certificate] of [["bare", {}], ["bearing a stranger's", evil]] as const) {
    await assertLetIn(attacker.attack({ port: world, ...ask, ...certificate, save }), null);
    const across = await assertRefused(
      gateway,
      () => attacker.attack({ port: mesh, ...ask, ...certificate, resume: save }),
      "resumed_session",
    );
    assert.equal(across.reused, true, "the attack must really resume");
  }
  const good = shownBy(domain.issue("web"));
  await assertLetIn(attacker.attack({ port: mesh, ...ask, ...good }), null);
  await assertRefused(
    gateway,
    () => attacker.attack({ port: mesh, ...ask }),
    "no_certificate",
  );
});

Deno.test("A running sidecar follows its trust bundle: new connections, tickets and open connections", async () => {
  const old = new TestDomain("mesh.test", { name: "Old" });
  const next = new TestDomain("mesh.test", { name: "Next" });
  await using sidecar = await Sidecar.start(old);
  await using attacker = Attacker.start();
  await using patient = Attacker.start();
  const port = sidecar.port();
  const was = { port, send: ASK, ...shownBy(old.issue("web")) };
  const is = { port, send: ASK, ...shownBy(next.issue("web")) };
  await assertLetIn(attacker.attack({ ...was, save: "old" }), old.id("web"));
  await assertRefused(sidecar, () => attacker.attack(is), "unknown_authority");
  await sidecar.control.rotate(next, [old.rootPem, next.rootPem]);
  await assertLetIn(attacker.attack(was), old.id("web"));
  await assertLetIn(attacker.attack(is), old.id("web"));
  const { requests } = sidecar;
  const held = patient.attack({ ...was, send: ASK.replace("close", "keep-alive"), waitMs: 20_000 });
  await sidecar.asked(requests);
  const from = sidecar.log.length;
  await sidecar.control.rotate(next, [next.rootPem]);
  await assertRefused(sidecar, () => attacker.attack(was), "unknown_authority");
  const resumed = await assertRefused(
    sidecar,
    () => attacker.attack({ ...was, resume: "old" }),
    "resumed_session",
  );
  assert.equal(resumed.reused, true);
  await assertLetIn(attacker.attack(is), next.id("web"));
  await sidecar.logged({ msg: "inbound.closed", reason: "unknown_authority" }, from);
  await held;
  // Its own certificate came from the old root too, so it gets another at once.
  await sidecar.logged({ msg: "identity.renewed" }, from);
});

Deno.test("A running sidecar holds a peer to the end of its certificate, ticket or not", async () => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  await using patient = Attacker.start();
  const port = sidecar.port();
  const endMs = Date.now() + 4000;
  const short = { port, send: ASK, ...shownBy(domain.issue("web", { notAfterMs: endMs })) };
  await assertLetIn(attacker.attack({ ...short, save: "ticket" }), domain.id("web"));
  // Stays open until the sidecar ends it, which is how the test knows that the time has come.
  const held = await patient.attack({
    ...short,
    send: ASK.replace("close", "keep-alive"),
    waitMs: 20_000,
  });
  assert.match(held.data, /^HTTP\/1\.1 200 /);
  await sidecar.logged({ msg: "inbound.closed", reason: "expired" });
  assert.ok(Date.now() >= endMs - 1000);
  await assertRefused(sidecar, () => attacker.attack(short), "expired");
  const resumed = await assertRefused(
    sidecar,
    () => attacker.attack({ ...short, resume: "ticket" }),
    "resumed_session",
  );
  assert.equal(resumed.reused, true);
});

Deno.test("A running sidecar holds a server to the end of its certificate, on a connection that is open", async () => {
  await using attacker = Attacker.start();
  const say = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
  const endMs = Date.now() + 5000;
  const { chainPem, keyPem } = domain.issue("catalog", { notAfterMs: endMs });
  const port = await attacker.listen({ cert: chainPem, key: keyPem, say, keep: true });
  await using sidecar = await Sidecar.start(domain, {
    upstreams: { catalog: { address: `127.0.0.1:${port}`, identity: domain.id("catalog") } },
  });
  assert.deepEqual(await sidecar.call("catalog"), { status: 200, body: "hello" });
  const closed = await sidecar.logged({ msg: "outbound.closed", reason: "expired" });
  assert.equal(closed["peer"], domain.id("catalog"));
  assert.ok(Date.now() >= endMs - 1000);
  assert.equal((await sidecar.call("catalog")).status, 503);
  await sidecar.logged({ msg: "outbound.refused", reason: "expired" });
});
