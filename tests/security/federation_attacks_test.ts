/** What a federated trust domain can do to a running sidecar beside speaking for its own workloads: nothing. */
import assert from "node:assert/strict";
import { TestDomain, type TestSvid } from "../support/ca.ts";
import { Attacker, type AttackResult } from "./attacker.ts";
import { shownBy } from "./bad_svids.ts";
import { ASK, assertRefused, SECRET, Sidecar } from "./sidecar.ts";

const a = new TestDomain("a.test"), b = new TestDomain("b.test"), c = new TestDomain("c.test");
/** The same domain with the keys it will have: a stale bundle does not know them, a fresh one only them. */
const later = new TestDomain("b.test", { name: "Later" });

/** B is believed; what it shows and what is made of that. */
const TABLE: readonly [attack: string, shown: () => TestSvid, reason: string | null][] = [
  ["B speaks for itself", () => b.issue("web"), null],
  ["B's root vouches for a workload of A", () => named(b, a.id("admin")), "unknown_authority"],
  [
    "B's root vouches for A's control plane",
    () => named(b, "spiffe://a.test/ns/denim-system/sa/control-plane"),
    "unknown_authority",
  ],
  ["B's root vouches for a workload of C", () => named(b, c.id("web")), "unknown_authority"],
  ["A's own root vouches for a workload of B", () => named(a, b.id("web")), "unknown_authority"],
  [
    "B names a workload of A beside its own",
    () => b.issue("web", { uris: [b.id("web"), a.id("admin")] }),
    "san_count",
  ],
  ["B's domain in capitals", () => named(b, "spiffe://B.test/ns/default/sa/web"), "bad_spiffe_id"],
  ["C, whom nobody believes", () => c.issue("web"), "unknown_authority"],
  ["B by keys that its bundle does not have yet", () => later.issue("web"), "unknown_authority"],
];

function named(signer: TestDomain, id: string): TestSvid {
  return signer.issue("x", { uris: [id] });
}

Deno.test("A federated domain speaks for its own names at a running sidecar, and for no others", async (t) => {
  await using sidecar = await Sidecar.start(a);
  await using attacker = Attacker.start();
  const knock = (svid: TestSvid): Promise<AttackResult> =>
    attacker.attack({ port: sidecar.port(), send: ASK, ...shownBy(svid) });
  const refused = async (svid: TestSvid, reason: string): Promise<void> => {
    const served = sidecar.requests;
    await assertRefused(sidecar, () => knock(svid), reason);
    assert.equal(sidecar.requests, served);
  };

  await t.step(
    "B is a stranger before it is believed",
    () => refused(b.issue("web"), "unknown_authority"),
  );
  await sidecar.control.federate([{ domain: "b.test", bundle: [b.rootPem] }]);
  for (const [attack, shown, reason] of TABLE) {
    await t.step(`${reason ?? "let in"}: ${attack}`, async () => {
      if (reason !== null) return await refused(shown(), reason);
      const { data } = await knock(shown());
      assert.ok(data.endsWith(`${SECRET} for ${b.id("web")}`), data);
    });
  }
  await t.step(
    "a bundle that was replaced lets in by the new keys, and no more by the old",
    async () => {
      await sidecar.control.federate([{ domain: "b.test", bundle: [later.rootPem] }]);
      assert.ok((await knock(later.issue("web"))).data.includes(SECRET));
      await refused(b.issue("web"), "unknown_authority");
    },
  );
  await t.step("who is believed no more is out at once", async () => {
    await sidecar.control.federate([]);
    await refused(later.issue("web"), "unknown_authority");
  });
});
