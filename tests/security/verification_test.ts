/**
 * Every way we know to get into a mesh listener without a good certificate, tried on a small server
 * made of proxy/tls. The same attacks on a running sidecar are in sidecar_test.ts.
 */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { admitPeer, MeshIdentity } from "../../proxy/tls/mod.ts";
import { type LeafOptions, stolenKeyPem, TestDomain, type TestSvid } from "../support/ca.ts";
import { type Attack, Attacker, type AttackResult } from "./attacker.ts";

const SECRET = "the application's answer";
const domain = new TestDomain("mesh.test");
/** An authority of another organisation that signs whatever it likes, our identities included. */
const stranger = new TestDomain("mesh.test", { name: "Stranger" });

/** A mesh listener that answers admitted peers with a secret and notes why it refused the others. */
class Victim implements AsyncDisposable {
  readonly identity: MeshIdentity;
  readonly refusals: string[] = [];
  readonly #servers: tls.Server[] = [];
  #release: () => void = () => {};
  nowMs = Date.now();

  constructor() {
    this.identity = new MeshIdentity(domain.material("victim"), { nowMs: () => this.nowMs });
  }

  async listen(): Promise<number> {
    const server = tls.createServer(this.identity.serverOptions(), (socket) => {
      socket.on("error", () => {});
      const peer = admitPeer(socket, this.identity, "client");
      if (peer.ok) return void socket.end(`${SECRET} for ${peer.identity}`);
      this.refusals.push(peer.reason);
      socket.destroy();
    });
    server.on("tlsClientError", () => this.refusals.push("handshake"));
    this.#release = this.identity.keepServer(server);
    return await this.#open(server);
  }

  /** A listener of the same process that asks less of its clients. */
  async listenBeside(options: tls.TlsOptions): Promise<number> {
    const { keyPem, chainPem } = domain.issue("edge");
    const server = tls.createServer({ key: keyPem, cert: chainPem, ...options }, (socket) => {
      socket.on("error", () => {});
      socket.end("beside");
    });
    server.on("tlsClientError", () => {});
    return await this.#open(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
    await Promise.all(
      this.#servers.map((one) => new Promise<void>((done) => one.close(() => done()))),
    );
  }

  async #open(server: tls.Server): Promise<number> {
    this.#servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as AddressInfo).port;
  }
}

const shown = ({ chainPem, keyPem }: TestSvid): Pick<Attack, "cert" | "key"> => ({
  cert: chainPem,
  key: keyPem,
});

function assertAnswered(result: AttackResult, identity: string): void {
  assert.equal(result.data, `${SECRET} for ${identity}`);
}

/** The peer got nothing, and the last refusal has this reason. */
function assertRefused(result: AttackResult, victim: Victim, reason: string): void {
  assert.equal(result.data, "");
  assert.equal(victim.refusals.at(-1), reason);
}

Deno.test("A good certificate is let in", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  assertAnswered(await attacker.attack({ port, ...shown(domain.issue("web")) }), domain.id("web"));
  assert.deepEqual(victim.refusals, []);
});

Deno.test("Certificates that break one rule each are refused with that reason", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  const admin = domain.id("admin");
  const cases: readonly [string, LeafOptions][] = [
    ["expired", { notAfterMs: Date.now() - 1000 }],
    ["not_yet_valid", { notBeforeMs: Date.now() + 600_000, notAfterMs: Date.now() + 900_000 }],
    ["extended_key_usage", { extKeyUsage: null }],
    ["leaf_is_ca", { isCa: true, keyUsage: [1, 0x06] }],
    ["san_count", { uris: [domain.id("low"), admin] }],
    ["san_count", { uris: [], dnsNames: [`x, URI:${admin}`] }],
    ["bad_spiffe_id", { uris: [`${domain.id("low")}, URI:${admin}`] }],
    ["bad_spiffe_id", { uris: [`${admin}\0.low`] }],
    ["bad_spiffe_id", { uris: [admin.toUpperCase()] }],
    ["wrong_trust_domain", { uris: ["spiffe://other.test/ns/default/sa/web"] }],
  ];
  for (const [reason, options] of cases) {
    const result = await attacker.attack({ port, ...shown(domain.issue("low", options)) });
    assertRefused(result, victim, reason);
  }
});

Deno.test("No certificate, a stranger's, and one the stranger's root vouches for are refused", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  assertRefused(await attacker.attack({ port }), victim, "no_certificate");
  const evil = stranger.issue("admin");
  assertRefused(await attacker.attack({ port, ...shown(evil) }), victim, "unknown_authority");
  const whole = { cert: evil.chainPem + stranger.rootPem, key: evil.keyPem };
  assertRefused(await attacker.attack({ port, ...whole }), victim, "unknown_authority");
});

Deno.test("A stolen certificate is of no use without its key", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  const admin = domain.issue("admin");
  const thief = { cert: admin.chainPem, key: stolenKeyPem(admin.keys) };
  assertRefused(await attacker.attack({ port, ...thief }), victim, "handshake");
  assertAnswered(await attacker.attack({ port, ...shown(admin) }), domain.id("admin"));
});

Deno.test("A session is never resumed, not even by the peer it was made with", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  const good = shown(domain.issue("web"));
  assertAnswered(await attacker.attack({ port, ...good, save: "own" }), domain.id("web"));
  const again = await attacker.attack({ port, ...good, resume: "own" });
  assert.equal(again.reused, true, "the attack must really resume");
  assertRefused(again, victim, "resumed_session");
});

Deno.test("A ticket from another listener of the process is refused, whatever that listener asked for", async () => {
  const beside: readonly [string, tls.TlsOptions, Pick<Attack, "cert" | "key">][] = [
    [
      "for another trust domain",
      { requestCert: true, rejectUnauthorized: true, ca: [stranger.rootPem] },
      shown(stranger.issue("admin")),
    ],
    [
      "that takes any certificate",
      { requestCert: true, rejectUnauthorized: false, ca: [domain.rootPem] },
      shown(stranger.issue("admin")),
    ],
    ["without client certificates", {}, {}],
  ];
  for (const [what, options, certificate] of beside) {
    await using victim = new Victim();
    await using attacker = Attacker.start();
    const port = await victim.listen();
    const other = await victim.listenBeside(options);
    const first = await attacker.attack({ port: other, ...certificate, save: "ticket" });
    assert.equal(first.data, "beside", what);
    assert.equal(first.saved, true, what);
    const second = await attacker.attack({ port, ...certificate, resume: "ticket" });
    assert.equal(second.reused, true, `the attack must really resume: a listener ${what}`);
    assertRefused(second, victim, "resumed_session");
  }
});

Deno.test("A ticket does not outlive the certificate it was made with", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  const short = shown(domain.issue("web", { notAfterMs: Date.now() + 60_000 }));
  assertAnswered(await attacker.attack({ port, ...short, save: "ticket" }), domain.id("web"));
  victim.nowMs += 120_000;
  assertRefused(await attacker.attack({ port, ...short }), victim, "expired");
  const resumed = await attacker.attack({ port, ...short, resume: "ticket" });
  assert.equal(resumed.reused, true);
  assertRefused(resumed, victim, "resumed_session");
});

Deno.test("A ticket does not outlive the authority that vouched for it", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  const old = shown(domain.issue("web"));
  assertAnswered(await attacker.attack({ port, ...old, save: "ticket" }), domain.id("web"));
  const next = new TestDomain("mesh.test", { name: "Next" });
  victim.identity.replace(next.material("victim"));
  assertRefused(await attacker.attack({ port, ...old }), victim, "unknown_authority");
  const resumed = await attacker.attack({ port, ...old, resume: "ticket" });
  assert.equal(resumed.reused, true);
  assertRefused(resumed, victim, "resumed_session");
  assertAnswered(await attacker.attack({ port, ...shown(next.issue("web")) }), domain.id("web"));
});

Deno.test("Older TLS and plaintext get no answer from a mesh listener", async () => {
  await using victim = new Victim();
  await using attacker = Attacker.start();
  const port = await victim.listen();
  const good = shown(domain.issue("web"));
  const result = await attacker.attack({ port, ...good, maxVersion: "TLSv1.2" });
  assertRefused(result, victim, "handshake");
  using plain = await Deno.connect({ hostname: "127.0.0.1", port });
  await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: victim\r\n\r\n"));
  const answer = new TextDecoder().decode(await readAll(plain));
  assert.ok(!answer.includes("HTTP") && !answer.includes(SECRET), answer);
});

async function readAll(source: Deno.Conn): Promise<Uint8Array> {
  try {
    return new Uint8Array(await new Response(source.readable).arrayBuffer());
  } catch {
    return new Uint8Array(0); // reset
  }
}
