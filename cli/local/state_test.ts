/** The folder of a local mesh: one owner at a time, damage and missing rights told in a sentence. */
import assert from "node:assert/strict";
import { LocalError } from "./explain.ts";
import { StateFolder } from "./state.ts";

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function told(pattern: RegExp): (problem: unknown) => boolean {
  return (problem) => problem instanceof LocalError && pattern.test(problem.message);
}

const MESH = {
  control: "http://127.0.0.1:1",
  dashboard: "http://127.0.0.1:1/",
  marketplace: "http://127.0.0.1:1/filters",
  gateway: "http://127.0.0.1:2",
  trustBundle: "x",
  services: [],
};

Deno.test("StateFolder refuses a second owner and names the first", async () => {
  await using dir = await folder();
  using first = StateFolder.open(dir.path, { fresh: false });
  first.writeLocal(MESH);
  const expected = new RegExp(
    `already runs.*process ${Deno.pid}, gateway http://127.0.0.1:2.*kill`,
  );
  assert.throws(() => StateFolder.open(dir.path, { fresh: true }), told(expected));
  // The refused one must not have emptied it.
  assert.ok(Deno.statSync(`${dir.path}/local.json`).isFile);
});

Deno.test("StateFolder leaves neither lock nor local.json when it is closed", async () => {
  await using dir = await folder();
  const state = StateFolder.open(dir.path, { fresh: false });
  state.writeLocal(MESH);
  state.writePorts({ control: 7000 });
  state[Symbol.dispose]();
  const left = [...Deno.readDirSync(dir.path)].map((entry) => entry.name).sort();
  assert.deepEqual(left, ["data", "filters", "logs", "ports.json", "proxies"]);
  using again = StateFolder.open(dir.path, { fresh: false });
  assert.deepEqual(again.readPorts(), { control: 7000 });
});

Deno.test("StateFolder takes over the lock file a killed mesh left", async () => {
  await using dir = await folder();
  Deno.writeTextFileSync(`${dir.path}/run.lock`, "999999\n");
  using state = StateFolder.open(dir.path, { fresh: false });
  assert.equal(Deno.readTextFileSync(state.file("run.lock")), `${Deno.pid}\n`);
});

Deno.test("StateFolder empties its own state and nothing else when it is fresh", async () => {
  await using dir = await folder();
  Deno.mkdirSync(`${dir.path}/data`);
  Deno.writeTextFileSync(`${dir.path}/data/old`, "");
  Deno.mkdirSync(`${dir.path}/cache`);
  using _state = StateFolder.open(dir.path, { fresh: true });
  assert.throws(() => Deno.statSync(`${dir.path}/data/old`), Deno.errors.NotFound);
  assert.ok(Deno.statSync(`${dir.path}/cache`).isDirectory);
});

Deno.test("StateFolder tells what to do when its ports file is damaged", async () => {
  await using dir = await folder();
  using state = StateFolder.open(dir.path, { fresh: false });
  for (const damage of ["{", "[]", `{"a": 0}`, `{"a": "x"}`]) {
    Deno.writeTextFileSync(state.file("ports.json"), damage);
    assert.throws(() => state.readPorts(), told(/ports\.json is damaged.*--fresh/));
  }
});

Deno.test("StateFolder tells what to do when a file stands in its place", async () => {
  await using dir = await folder();
  Deno.writeTextFileSync(`${dir.path}/data`, "");
  assert.throws(
    () => StateFolder.open(dir.path, { fresh: false }),
    told(/data should be a folder.*--dir/),
  );
});
