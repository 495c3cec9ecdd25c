/** Delivery of snapshots to one proxy: nonces, refusals, and only the latest for the slow. */
import assert from "node:assert/strict";
import type { Snapshot } from "../schema/snapshot.ts";
import { Delivery, type Offer } from "./delivery.ts";

function offer(version: string, revision = 1, digests: string[] = []): Offer {
  const snapshot: Snapshot = {
    version,
    node: { kind: "sidecar", namespace: "default", name: "web" },
    listeners: [],
    backends: {},
    modules: digests.map((digest) => ({ digest, bytes: 1, abi: "proxy-wasm" })),
    trust: { domain: "mesh.local", bundle: [] },
  };
  return { snapshot, revision };
}

function delivery(version: string | null = null): { it: Delivery; sent: string[] } {
  const sent: string[] = [];
  return {
    it: new Delivery(version, (nonce, one) => sent.push(`${nonce}:${one.snapshot.version}`)),
    sent,
  };
}

Deno.test("Delivery is in force only when its own nonce is acked", () => {
  const { it, sent } = delivery();
  it.offer(offer("a", 4));
  assert.deepEqual(sent, ["1:a"]);
  assert.equal(it.isInForce, false);
  assert.equal(it.acked("7", "a"), false);
  assert.equal(it.acked("1", "other"), false);
  assert.equal(it.isInForce, false);
});

Deno.test("Delivery remembers what was acked and its revision", () => {
  const { it } = delivery();
  it.offer(offer("a", 4));
  assert.equal(it.acked("1", "a"), true);
  assert.equal(it.isInForce, true);
  assert.equal(it.version, "a");
  assert.equal(it.revision, 4);
  assert.equal(it.acked("1", "a"), false, "a second answer is stale");
});

Deno.test("Delivery sends a slow proxy the latest only", () => {
  const { it, sent } = delivery();
  it.offer(offer("a"));
  for (const version of ["b", "c", "d"]) it.offer(offer(version));
  assert.deepEqual(sent, ["1:a"]);
  it.acked("1", "a");
  assert.deepEqual(sent, ["1:a", "2:d"]);
});

Deno.test("Delivery keeps the last good version and the reason on a refusal, and sends it no more", () => {
  const { it, sent } = delivery();
  it.offer(offer("a", 1));
  it.acked("1", "a");
  it.offer(offer("bad", 2));
  assert.equal(it.nacked("2", "bad", "no such filter"), true);
  assert.equal(it.version, "a");
  assert.equal(it.reason, "no such filter");
  it.offer(offer("bad", 3));
  it.offer(offer("bad", 4));
  assert.equal(sent.length, 2);
  it.offer(offer("good", 5));
  assert.equal(it.reason, "");
  assert.equal(it.acked("3", "good"), true);
  assert.equal(it.isInForce, true);
});

Deno.test("Delivery sends nothing to a proxy that has the target already", () => {
  const { it, sent } = delivery("a");
  it.offer(offer("a", 9));
  assert.deepEqual(sent, []);
  assert.equal(it.isInForce, true);
  assert.equal(it.revision, 9);
});

Deno.test("Delivery returns to the former target when another is under way meanwhile", () => {
  const { it, sent } = delivery("a");
  it.offer(offer("b"));
  it.offer(offer("a"));
  assert.equal(it.isInForce, false, "b may come into force any moment");
  it.acked("1", "b");
  assert.deepEqual(sent, ["1:b", "2:a"]);
});

Deno.test("Delivery names the modules of what is under way, also when the target has moved on", () => {
  const { it } = delivery();
  it.offer(offer("a", 1, ["one"]));
  it.offer(offer("b", 2, ["two"]));
  assert.deepEqual(["one", "two", "three"].map((digest) => it.names(digest)), [true, true, false]);
  it.acked("1", "a");
  assert.deepEqual(["one", "two"].map((digest) => it.names(digest)), [false, true]);
});
