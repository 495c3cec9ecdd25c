/** Bundles of other trust domains: the last good one stays, an old one does not come back. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { TestDomain } from "../../tests/support/ca.ts";
import type { FederatedDomain } from "../schema/federation.ts";
import { readDocument, writeDocument } from "./document.ts";
import { FederationKeeper, RETRY_MS } from "./keeper.ts";

const b = new TestDomain("b.test"), next = new TestDomain("b.test", { name: "Next" });
const clock = { nowMs: () => 1000, monotonicMs: () => 1000 };
const CONFIG: FederatedDomain = {
  trustDomain: "b.test",
  endpoint: { url: "https://b.test/", profile: "https_web" },
};
const documentOf = (domain: TestDomain, sequence = 1): string =>
  writeDocument([domain.rootPem], { sequence, refreshMs: 60_000 });

/** A keeper whose fetches and timers the test holds in its hand. */
class Rig {
  answer: string | Error = new Error("away");
  readonly timers: { call: () => void; ms: number }[] = [];
  changes = 0;
  readonly keeper: FederationKeeper;
  constructor(keeper: FederationKeeper) {
    this.keeper = keeper;
    keeper.onChange(() => this.changes++);
  }

  static async open(dir: string): Promise<Rig> {
    const rig: Rig = new Rig(
      await FederationKeeper.open({
        dir,
        trustDomain: "a.test",
        clock,
        log: silentLog,
        random: () => 1,
        fetch: () =>
          rig.answer instanceof Error ? Promise.reject(rig.answer) : Promise.resolve(rig.answer),
        later: (call, ms) => {
          const timer = { call, ms };
          rig.timers.push(timer);
          return () => void rig.timers.splice(rig.timers.indexOf(timer), 1);
        },
      }),
    );
    return rig;
  }

  /** Lets the next refresh happen; how long it would have waited for it. */
  async turn(): Promise<number> {
    const { call, ms } = this.timers.shift()!;
    call();
    while (this.timers.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    return ms;
  }
}

async function withFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-federation-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("FederationKeeper fetches at once, then as often as the other domain says", () =>
  withFolder(async (dir) => {
    const rig = await Rig.open(dir);
    await rig.keeper.configure([CONFIG]);
    assert.deepEqual(rig.keeper.bundles(), []);
    rig.answer = documentOf(b);
    assert.equal(await rig.turn(), 0);
    assert.deepEqual(rig.keeper.bundles(), [{ domain: "b.test", bundle: [b.rootPem] }]);
    assert.equal(rig.changes, 1);
    assert.equal(await rig.turn(), 60_000);
    assert.equal(rig.changes, 1, "the same bundle changes nothing");
    rig.answer = documentOf(next, 2);
    await rig.turn();
    assert.deepEqual(rig.keeper.bundles()[0]!.bundle, [next.rootPem]);
    assert.equal(rig.changes, 2);
    await rig.keeper.close();
  }));

Deno.test("FederationKeeper keeps the last good bundle, over a restart too, and asks again later each time", () =>
  withFolder(async (dir) => {
    const rig = await Rig.open(dir);
    await rig.keeper.configure([CONFIG]);
    rig.answer = documentOf(b);
    await rig.turn();
    for (
      const bad of [
        new Error("away"),
        "no JSON",
        '{"keys":[]}',
        documentOf(new TestDomain("c.test")),
      ]
    ) {
      rig.answer = bad;
      await rig.turn();
      assert.deepEqual(rig.keeper.bundles()[0]!.bundle, [b.rootPem]);
    }
    assert.match(rig.keeper.view()[0]!.reason, /authority of "spiffe:\/\/c.test", not of/);
    assert.equal(rig.timers[0]!.ms, RETRY_MS * 8);
    await rig.keeper.close();

    const again = await Rig.open(dir);
    await again.keeper.configure([CONFIG]);
    assert.deepEqual(again.keeper.bundles()[0]!.bundle, [b.rootPem]);
    await again.keeper.close();
  }));

Deno.test("FederationKeeper does not take a bundle whose sequence went back", () =>
  withFolder(async (dir) => {
    const rig = await Rig.open(dir);
    await rig.keeper.configure([CONFIG]);
    rig.answer = documentOf(next, 7);
    await rig.turn();
    rig.answer = documentOf(b, 6);
    await rig.turn();
    assert.deepEqual(rig.keeper.bundles()[0]!.bundle, [next.rootPem]);
    assert.match(rig.keeper.view()[0]!.reason, /went back from sequence 7 to 6/);
    await rig.keeper.close();
  }));

Deno.test("FederationKeeper drops who is no longer configured, and starts anew with another first bundle", () =>
  withFolder(async (dir) => {
    const rig = await Rig.open(dir);
    await rig.keeper.configure([{ ...CONFIG, bundle: b.rootPem }]);
    assert.deepEqual(rig.keeper.bundles()[0]!.bundle, [b.rootPem], "before anything is fetched");
    rig.answer = documentOf(b, 3);
    await rig.turn();
    await rig.keeper.configure([{ ...CONFIG, bundle: next.rootPem }]);
    assert.deepEqual(rig.keeper.bundles()[0]!.bundle, [next.rootPem]);
    await rig.keeper.configure([]);
    assert.deepEqual(rig.keeper.bundles(), []);
    assert.equal(rig.timers.length, 0);
    assert.deepEqual([...Deno.readDirSync(dir)], []);
    await rig.keeper.configure([{ ...CONFIG, trustDomain: "a.test", bundle: b.rootPem }]);
    assert.deepEqual(rig.keeper.bundles(), [], "our own names have one authority");
    await rig.keeper.close();
  }));

Deno.test("Bundle documents come back as they were written, with a refresh time within reason", () => {
  const bundle = [b.rootPem, next.rootPem];
  for (const [said, taken] of [[60_000, 60_000], [0, 300_000], [1000, 5000], [9e9, 3_600_000]]) {
    const text = writeDocument(bundle, { sequence: 4, refreshMs: said! });
    assert.deepEqual(readDocument("b.test", text), { bundle, sequence: 4, refreshMs: taken });
  }
  const [key] = JSON.parse(writeDocument(bundle, { sequence: 1, refreshMs: 1000 })).keys;
  assert.deepEqual(Object.keys(key).sort(), ["crv", "kty", "use", "x", "x5c", "y"]);
  assert.ok(!("d" in key));
});

/** What is wrong with a document. */
const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
  ["no keys", {}, /wrong at "keys"/],
  ["a negative sequence", { keys: [], spiffe_sequence: -1 }, /spiffe_sequence/],
  ["no root", { keys: [] }, /no self-signed root/],
  ["keys for tokens only", { keys: [{ use: "jwt-svid", kty: "EC" }] }, /no self-signed root/],
  ["a key without certificate", { keys: [{ use: "x509-svid" }] }, /exactly one x5c/],
  ["two certificates a key", { keys: [{ use: "x509-svid", x5c: ["", ""] }] }, /exactly one x5c/],
  ["no base64", { keys: [{ use: "x509-svid", x5c: ["?"] }] }, /not base64/],
  ["no certificate", { keys: [{ use: "x509-svid", x5c: ["AAAA"] }] }, /its certificate is/],
  [
    "a leaf",
    { keys: [{ use: "x509-svid", x5c: [b.issue("web").der.toBase64()] }] },
    /authority of "spiffe:\/\/b.test\/ns/,
  ],
];

for (const [what, value, says] of WRONG) {
  Deno.test(`A bundle document is refused that holds ${what}`, () => {
    assert.throws(() => readDocument("b.test", JSON.stringify(value)), says);
  });
}
