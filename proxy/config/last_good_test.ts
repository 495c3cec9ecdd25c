/** State on disk: whole or not at all, checked when it is read, ignored with a sentence when it is of no use. */
import assert from "node:assert/strict";
import { createLog } from "../../core/log.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import { sha256 } from "./files.ts";
import { LastGood } from "./last_good.ts";
import { Modules } from "./modules.ts";

const NODE = { kind: "sidecar", namespace: "default", name: "web" } as const;

function snapshot(version: string, digests: string[] = []): Snapshot {
  return {
    version,
    node: NODE,
    listeners: [],
    backends: {},
    modules: digests.map((digest) => ({ digest, bytes: 3, abi: "proxy-wasm" })),
    trust: { domain: "mesh.local", bundle: [] },
  };
}

async function withState(
  run: (lastGood: LastGood, dir: string, logged: string[]) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const logged: string[] = [];
  const lastGood = await LastGood.open(dir, createLog((line) => logged.push(line)));
  await run(lastGood, dir, logged);
  await Deno.remove(dir, { recursive: true });
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const digestOf = async (bytes: Uint8Array<ArrayBuffer>) => `sha256:${await sha256(bytes)}`;

Deno.test("LastGood gives back what was written last, to its owner only", () =>
  withState(async (lastGood, dir) => {
    assert.equal(await lastGood.read(NODE), null);
    await Promise.all([lastGood.write(snapshot("a")), lastGood.write(snapshot("b"))]);
    assert.deepEqual(await lastGood.read(NODE), snapshot("b"));
    assert.equal((await Deno.stat(`${dir}/snapshot.json`)).mode! & 0o777, 0o600);
  }));

Deno.test("LastGood ignores a damaged file and one of another node, and says so", () =>
  withState(async (lastGood, dir, logged) => {
    await lastGood.write(snapshot("a"));
    const path = `${dir}/snapshot.json`;
    const text = await Deno.readTextFile(path);
    for (const bad of [text.slice(0, -9), text.replace("web", "wab"), "", "null", "{}"]) {
      await Deno.writeTextFile(path, bad);
      assert.equal(await lastGood.read(NODE), null, bad);
    }
    assert.equal(logged.length, 5);
    assert.match(logged[0]!, /state\.ignored.*damaged.*nothing has to be done/);
    await Deno.writeTextFile(path, text);
    assert.equal(await lastGood.read({ ...NODE, name: "api" }), null);
    assert.match(logged.at(-1)!, /it is for sidecar \\"default\/web\\"/);
  }));

Deno.test("LastGood survives what a crash in the middle of a write leaves", () =>
  withState(async (lastGood, dir) => {
    await lastGood.write(snapshot("a"));
    await Deno.writeTextFile(`${dir}/snapshot.json.new`, '{"sha256": "ha');
    assert.equal((await lastGood.read(NODE))?.version, "a");
    await lastGood.write(snapshot("b"));
    assert.equal((await lastGood.read(NODE))?.version, "b");
  }));

Deno.test("LastGood keeps only the modules of the snapshot, and no damaged one", () =>
  withState(async (lastGood, dir) => {
    const [one, two] = [await digestOf(bytesOf("one")), await digestOf(bytesOf("two"))];
    await lastGood.writeModule(one, bytesOf("one"));
    await lastGood.writeModule(two, bytesOf("two"));
    await lastGood.write(snapshot("a", [one]));
    assert.deepEqual(await lastGood.readModule(one), bytesOf("one"));
    assert.equal(await lastGood.readModule(two), null);
    await Deno.writeTextFile(`${dir}/modules/${one.slice(7)}`, "onE");
    assert.equal(await lastGood.readModule(one), null);
    await assert.rejects(lastGood.readModule("sha256:../../x"), TypeError);
  }));

Deno.test("Modules asks once, takes what fits the digest, and keeps it", () =>
  withState(async (lastGood) => {
    const modules = new Modules(lastGood);
    const asked: string[] = [];
    modules.connected((digest) => asked.push(digest));
    const bytes = bytesOf("one"), digest = await digestOf(bytes);
    const both = Promise.all([modules.get(digest), modules.get(digest)]);
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await modules.received(digest, bytes);
    assert.deepEqual(await both, [bytes, bytes]);
    modules.disconnected();
    assert.deepEqual(await modules.get(digest), bytes, "from disk");
    assert.equal(asked.length, 1);
  }));

Deno.test("Modules refuses other bytes than were asked for, and does not wait without a connection", () =>
  withState(async (lastGood) => {
    const modules = new Modules(lastGood);
    const digest = await digestOf(bytesOf("one"));
    await assert.rejects(modules.get(digest), /no connection/);
    let asked = Promise.withResolvers<void>();
    modules.connected(() => asked.resolve());
    const wrong = assert.rejects(modules.get(digest), /not what the digest says/);
    await asked.promise;
    await modules.received(digest, bytesOf("two"));
    await wrong;
    asked = Promise.withResolvers();
    const lost = assert.rejects(modules.get(digest), /connection .* was lost/);
    await asked.promise;
    modules.disconnected();
    await lost;
    asked = Promise.withResolvers();
    modules.connected(() => asked.resolve());
    const refused = assert.rejects(modules.get(digest), /not in the marketplace/);
    await asked.promise;
    modules.refused("it is not in the marketplace any more");
    await refused;
  }));

Deno.test("LastGood says that it could not write, and traffic goes on", () =>
  withState(async (lastGood, dir, logged) => {
    await Deno.remove(dir, { recursive: true });
    await lastGood.write(snapshot("a"));
    const bytes = bytesOf("one");
    await lastGood.writeModule(await digestOf(bytes), bytes);
    assert.equal(logged.length, 2);
    assert.match(logged[0]!, /state\.not_written.*snapshot\.json/);
    await Deno.mkdir(dir);
  }));
