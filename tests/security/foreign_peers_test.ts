/**
 * openssl, Go and go-spiffe beside a running sidecar, both ways: whoever has a good SVID is let in and reached,
 * whoever has a bad one is refused, and they in turn take the sidecar for who it is and for nobody else.
 */
import assert from "node:assert/strict";
import { Authority } from "../../control/ca/mod.ts";
import { createKeyAndCsr, decodePem, readTrustBundle, verifyPeer } from "../../proxy/tls/mod.ts";
import { TestDomain } from "../support/ca.ts";
import { BAD_SVIDS, type BadSvid, GOOD_SVIDS, type Parties, shownBy } from "./bad_svids.ts";
import { foreignPeers, type ForeignServer, judgedByGoSpiffe } from "./foreign_peers.ts";
import { ASK, SECRET, Sidecar } from "./sidecar.ts";

const parties: Parties = {
  domain: new TestDomain("mesh.test"),
  stranger: new TestDomain("mesh.test", { name: "Stranger" }),
  forger: new TestDomain("mesh.test"),
};
const { domain } = parties;
const peers = await foreignPeers();
const trust = { bundle: domain.rootPem, expect: domain.id("victim") };

/** One bad certificate of each kind: the first row for each reason. */
const KINDS: readonly BadSvid[] = BAD_SVIDS.filter((row, at) =>
  BAD_SVIDS.findIndex((other) => other.reason === row.reason) === at
);

for (const peer of peers) {
  Deno.test(`${peer.name} as a client is let in by a good SVID and refused by each kind of bad one`, async (t) => {
    await using sidecar = await Sidecar.start(domain);
    const port = sidecar.port();
    await t.step("let in", async () => {
      const { answer, said } = await peer.connect(port, shownBy(domain.issue("web")), ASK, trust);
      assert.ok(answer.endsWith(`${SECRET} for ${domain.id("web")}`), answer + said);
    });
    await t.step("does not take the sidecar for another one", async () => {
      const other = peer.name === "openssl"
        ? { ...trust, bundle: parties.stranger.rootPem } // it knows nothing of SPIFFE ids
        : { ...trust, expect: domain.id("other") };
      const { answer } = await peer.connect(port, shownBy(domain.issue("web")), ASK, other);
      assert.equal(answer, "");
    });
    const served = sidecar.requests;
    if (!peer.showsAnything) return;
    await t.step("refused: no certificate (no_certificate)", async () => {
      const from = sidecar.log.length;
      assert.equal((await peer.connect(port, null, ASK, trust)).answer, "");
      await sidecar.logged({ msg: "inbound.refused", reason: "no_certificate" }, from);
    });
    for (const { attack, reason, shown } of KINDS) {
      await t.step(`refused: ${attack} (${reason})`, async () => {
        const from = sidecar.log.length;
        const { answer } = await peer.connect(port, shown(parties, "admin"), ASK, trust);
        assert.equal(answer, "");
        await sidecar.logged({ msg: "inbound.refused", reason }, from);
      });
    }
    assert.equal(sidecar.requests, served);
  });

  Deno.test(`${peer.name} as a server is reached with a good SVID and by nobody with a bad one`, async (t) => {
    const rows = [
      { attack: "", shown: GOOD_SVIDS[0]!.shown },
      ...(peer.showsAnything ? KINDS : []),
    ];
    const servers: ForeignServer[] = [];
    await using _all = {
      [Symbol.asyncDispose]: async () => {
        for (const one of servers) await one[Symbol.asyncDispose]();
      },
    };
    const upstreams: Record<string, { address: string; identity: string }> = {};
    for (const [at, { shown }] of rows.entries()) {
      const server = await peer.listen(shown(parties, "catalog"), trust);
      servers.push(server);
      upstreams[`row${at}`] = {
        address: `127.0.0.1:${server.port}`,
        identity: domain.id("catalog"),
      };
    }
    upstreams["other"] = { ...upstreams["row0"]!, identity: domain.id("reviews") };
    await using sidecar = await Sidecar.start(domain, { upstreams });
    for (const [at, { attack }] of rows.entries()) {
      await t.step(attack === "" ? "reached" : `refused: ${attack}`, async () => {
        const { status, body } = await sidecar.call(`row${at}`, "/hello");
        assert.deepEqual([status, body], at === 0 ? [200, "hello"] : [503, body]);
        assert.ok(at === 0 || !body.includes("hello"));
      });
    }
    await t.step("refused: who is not the one that was wanted", async () => {
      assert.equal((await sidecar.call("other", "/hello")).status, 503);
      await sidecar.logged({ msg: "outbound.refused", reason: "wrong_identity" });
    });
  });
}

const goSpiffe = peers.some((one) => one.name === "go-spiffe");

Deno.test({
  name: "What the control plane's authority issues is an SVID to go-spiffe",
  ignore: !goSpiffe,
}, async () => {
  const dir = await Deno.makeTempDir({ prefix: "denim-ca-" });
  try {
    const authority = await Authority.open(`${dir}/ca`, { trustDomain: "mesh.test" });
    const { keyPem, csrPem } = createKeyAndCsr();
    const id = domain.id("web");
    const { chainPem } = await authority.issue(id, csrPem);
    const shown = { cert: chainPem, key: keyPem };
    assert.equal(await judgedByGoSpiffe(shown, authority.bundle().join("")), id);
    const { keyPem: key, chainPem: cert } = await authority.controlPlaneSvid();
    assert.match(
      (await judgedByGoSpiffe({ cert, key }, authority.bundle().join("")))!,
      /control-plane$/,
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test({ name: "Whatever go-spiffe refuses, we refuse too", ignore: !goSpiffe }, async () => {
  const bundle = readTrustBundle("mesh.test", [domain.rootPem]);
  let both = 0;
  for (const row of [...BAD_SVIDS, ...GOOD_SVIDS]) {
    const shown = row.shown(parties, "admin");
    const theirs = await judgedByGoSpiffe(shown, domain.rootPem);
    if (theirs === domain.id("admin")) continue;
    const chain = decodePem(shown.cert, "CERTIFICATE")!;
    const ours = verifyPeer(chain, bundle, { nowMs: Date.now(), role: "client" });
    const stolen = "attack" in row && row.reason === "handshake"; // go-spiffe compares key and certificate
    assert.ok(!ours.ok || stolen || "clientsOnly" in row, `${theirs}: ${JSON.stringify(row)}`);
    both++;
  }
  assert.ok(both > 25, `${both}`);
});
