/**
 * The attack list on identities and TLS, against a running sidecar in both directions: hostile clients at its
 * inbound port, hostile servers where its outbound connections go. The rows are in bad_svids.ts.
 */
import assert from "node:assert/strict";
import { TestDomain } from "../support/ca.ts";
import { type Attack, Attacker, type AttackResult } from "./attacker.ts";
import { BAD_SVIDS, GOOD_SVIDS, type Parties, shownBy } from "./bad_svids.ts";
import { ASK, assertRefused, SECRET, Sidecar } from "./sidecar.ts";

const parties: Parties = {
  domain: new TestDomain("mesh.test"),
  stranger: new TestDomain("mesh.test", { name: "Stranger" }),
  forger: new TestDomain("mesh.test"),
};
const { domain } = parties;
/** No refusal may wait for the handshake's timeout of 10 s, nor may a search for a path take as long. */
const PROMPT_MS = 8_000;

async function refused(
  sidecar: Sidecar,
  attack: () => Promise<AttackResult>,
  reason: string,
): Promise<void> {
  const startedMs = performance.now();
  await assertRefused(sidecar, attack, reason);
  assert.ok(performance.now() - startedMs < PROMPT_MS);
}

Deno.test("Clients with bad certificates get nothing from a running sidecar", async (t) => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  const port = sidecar.port();
  for (const { attack, anchor, reason, shown } of BAD_SVIDS) {
    await t.step(`${attack} (${anchor}): ${reason}`, async () => {
      const ask = { port, send: ASK, ...shown(parties, "admin") };
      await refused(sidecar, () => attacker.attack(ask), reason);
    });
  }
  assert.equal(sidecar.requests, 0);
  for (const { what, shown } of GOOD_SVIDS) {
    await t.step(`let in: ${what}`, async () => {
      const { data } = await attacker.attack({ port, send: ASK, ...shown(parties, "web") });
      assert.ok(data.endsWith(`${SECRET} for ${domain.id("web")}`), data);
    });
  }
});

Deno.test("Servers with bad certificates get not a byte of a request", async (t) => {
  await using attacker = Attacker.start();
  const say = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
  const identity = domain.id("catalog");
  const ports: number[] = [];
  const upstreams: Record<string, { address: string; identity: string }> = {};
  const rows = [...BAD_SVIDS, ...GOOD_SVIDS.filter((one) => one.clientsOnly !== true)];
  for (const [at, { shown }] of rows.entries()) {
    const port = await attacker.listen({ ...shown(parties, "catalog"), say });
    ports.push(port);
    upstreams[`row${at}`] = { address: `127.0.0.1:${port}`, identity };
  }
  await using sidecar = await Sidecar.start(domain, { upstreams });
  for (const [at, row] of rows.entries()) {
    const bad = "attack" in row;
    await t.step(bad ? `refused: ${row.attack}` : `reached: ${row.what}`, async () => {
      const startedMs = performance.now();
      const { status, body } = await sidecar.call(`row${at}`);
      assert.deepEqual([status, body === "hello"], bad ? [503, false] : [200, true], body);
      assert.equal(await attacker.heard(ports[at]!) > 0, !bad);
      assert.ok(performance.now() - startedMs < PROMPT_MS);
    });
  }
});

const VERSIONS: readonly Partial<Attack>[] = [
  { minVersion: "TLSv1", maxVersion: "TLSv1" },
  { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" },
  // Renegotiation (CVE-2009-3555, CVE-2011-1473) and its resumption by name only end here too.
  { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
];

const H2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** What a client says that has agreed on something else, and what it may get: an error, and no answer of the app. */
const CONFUSED: readonly [attack: string, alpn: string[], send: string, expected: RegExp][] = [
  ["HTTP/1.1 where HTTP/2 was agreed", ["h2"], ASK, /^(?!HTTP)/],
  ["HTTP/2 where HTTP/1.1 was agreed", ["http/1.1"], H2_PREFACE, /^(HTTP\/1\.1 (400|505) |$)/],
  ["HTTP/2 where nothing was agreed", [], H2_PREFACE, /^(HTTP\/1\.1 (400|505) |$)/],
  ["the control plane's protocol", ["denim-control/1"], ASK, /^$/],
  ["a mail server's protocol (ALPACA, CVE-2021-3618)", ["imap"], "a1 LOGIN x y\r\n", /^$/],
];

Deno.test("Old TLS, other protocols and confusion about them end at a running sidecar", async (t) => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  const port = sidecar.port();
  const web = shownBy(domain.issue("web"));
  for (const version of VERSIONS) {
    await t.step(`refused: ${version.maxVersion}`, async () => {
      const ask = { port, send: ASK, ...web, ...version };
      await refused(sidecar, () => attacker.attack(ask), "handshake");
    });
  }
  for (const [attack, ALPNProtocols, send, expected] of CONFUSED) {
    await t.step(`no answer: ${attack}`, async () => {
      const { data } = await attacker.attack({ port, send, ...web, ALPNProtocols });
      assert.match(data, expected);
      assert.ok(!data.includes(SECRET));
    });
  }
  assert.equal(sidecar.requests, 0);
  await t.step(
    "the order of a client's protocols does not matter, unknown ones are passed over",
    async () => {
      const ALPNProtocols = ["imap", "http/1.1", "x"];
      const { alpn, data } = await attacker.attack({ port, send: ASK, ...web, ALPNProtocols });
      assert.equal(alpn, "http/1.1");
      assert.ok(data.includes(SECRET));
    },
  );
});

const JUNK: readonly [attack: string, bytes: Uint8Array][] = [
  ["a hello of SSL 2", Uint8Array.of(0x80, 0x2e, 1, 0, 2, ...new Uint8Array(43))],
  ["a handshake record of 64 KB", Uint8Array.of(22, 3, 1, 0xff, 0xff, ...new Uint8Array(60_000))],
  ["a hello that claims 16 MB", Uint8Array.of(22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff)],
  ["records without content", new Uint8Array(5000).map((_, n) => [22, 3, 1, 0, 0][n % 5]!)],
  ["application data first", Uint8Array.of(23, 3, 3, 0, 16, ...new Uint8Array(16))],
  ["an alert first", Uint8Array.of(21, 3, 3, 0, 2, 2, 0)],
];

Deno.test("Bytes that are no handshake are refused, and the next client is served", async (t) => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  for (const [attack, bytes] of JUNK) {
    await t.step(attack, async () => {
      const from = sidecar.log.length;
      const conn = await Deno.connect({ port: sidecar.port() });
      await conn.write(bytes);
      const answer = await new Response(conn.readable).bytes().catch(() => new Uint8Array(0));
      assert.ok(answer.length < 64, "no more than an alert");
      await sidecar.logged({ msg: "inbound.refused", reason: "handshake" }, from);
    });
  }
  const web = shownBy(domain.issue("web"));
  const { data } = await attacker.attack({ port: sidecar.port(), send: ASK, ...web });
  assert.ok(data.includes(SECRET));
});
