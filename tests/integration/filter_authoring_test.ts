/** Writing a filter as one does it: `denim filter …`, as programs of their own, in a folder of their own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Denim, denim } from "../support/denim.ts";

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-authoring-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function change(path: string, from: string, to: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  assert.ok(text.includes(from), `${path} does not hold ${from}`);
  await Deno.writeTextFile(path, text.replace(from, to));
}

Deno.test("denim filter new and test: a case fails with the change, and --update takes what came", async () => {
  await inFolder(async (dir) => {
    const folder = join(dir, "tagger"), cases = join(folder, "tests/first.yaml");
    assert.equal((await denim(["filter", "new", folder, "--lang", "wat"])).code, 0);
    const good = await denim(["filter", "test", folder, "--cache-dir", dir]);
    assert.equal(good.code, 0, good.err);
    assert.match(good.out, /ok {6}adds a header to responses \(\d+ fuel/);
    assert.match(good.out, /2 passed, 0 failed$/);

    await change(join(folder, "filter.wat"), '"hello"', '"howdy"');
    const junit = join(dir, "junit.xml");
    const bad = await denim(["filter", "test", folder, "--cache-dir", dir, "--junit", junit]);
    assert.equal(bad.code, 1);
    assert.match(bad.out, /x-tagger\n +- "hello"\n +\+ "howdy"/);
    assert.match(bad.out, /first\.yaml:3\n/);
    assert.match(bad.out, /1 passed, 1 failed$/);
    assert.match(await Deno.readTextFile(junit), /tests="2" failures="1"/);
    const asJson = await denim(["filter", "test", folder, "--cache-dir", dir, "-o", "json"]);
    assert.equal(asJson.code, 1);
    assert.deepEqual(JSON.parse(asJson.out).cases[0].differences, [
      { path: "expect.response.headers.x-tagger", wanted: '"hello"', got: '"howdy"' },
    ]);

    const updated = await denim(["filter", "test", folder, "--cache-dir", dir, "--update"]);
    assert.equal(updated.code, 0, updated.err);
    assert.match(
      await Deno.readTextFile(cases),
      /^# Run by: denim filter test \.\n[^]*x-tagger": howdy/,
    );
    assert.equal((await denim(["filter", "test", folder, "--cache-dir", dir])).code, 0);

    await change(cases, "status: 418", "staus: 418");
    const broken = await denim(["filter", "test", folder, "--cache-dir", dir]);
    assert.equal(broken.code, 2);
    assert.match(broken.err, /first\.yaml:\d+: cases\.1\.expect\.response has no field "staus"/);
  });
});

Deno.test("denim filter build reports, and the same sources give the same bytes anywhere", async () => {
  await inFolder(async (dir) => {
    const digests: string[] = [];
    for (const place of ["one", "two"]) {
      await Deno.mkdir(join(dir, place));
      const folder = join(dir, place, "same"), cache = join(dir, place, "cache");
      assert.equal((await denim(["filter", "new", folder, "--lang", "as"])).code, 0);
      const { code, out, err } = await denim([
        "filter",
        "build",
        folder,
        "--json",
        "--cache-dir",
        cache,
      ]);
      assert.equal(code, 0, err);
      const report = JSON.parse(out);
      digests.push(report.digest);
      assert.ok(report.hooks.includes("response-headers"));
      assert.equal(report.language, "assemblyscript");
      assert.ok(report.gzipBytes < report.bytes && report.meteredBytes > report.bytes);
      assert.ok(report.cost.fuelMean > 0 && report.cost.fuelPerCall >= report.cost.fuelMean);
      assert.deepEqual(report.warnings, []);
    }
    assert.equal(digests[0], digests[1]);
  });
});

Deno.test("denim filter explain tells of a module, and refuses what no proxy would take", async () => {
  await inFolder(async (dir) => {
    const folder = join(dir, "tagger");
    await denim(["filter", "new", folder, "--lang", "wat"]);
    const { code, out } = await denim(["filter", "explain", folder]);
    assert.equal(code, 0);
    assert.match(out, /^tagger: a core module, proxy-wasm 0\.2\.1\n/);
    assert.match(out, /headers-write +changes request and response headers/);
    assert.match(out, /env\.proxy_send_local_response +answers requests itself/);
    const file = join(dir, "program.wat");
    await Deno.writeTextFile(
      file,
      '(module (memory (export "memory") 1) (func (export "_start")))',
    );
    const program = await denim(["filter", "explain", file, "--json"]);
    assert.equal(program.code, 1);
    assert.equal(JSON.parse(program.out).problems[0].fatal, true);
    await Deno.writeTextFile(file, "hello");
    const nonsense = await denim(["filter", "explain", file]);
    assert.equal(nonsense.code, 1);
    assert.match(nonsense.err, /Not WebAssembly/);
  });
});

Deno.test("denim filter dev follows the code without a failed request, and keeps the last that worked", async () => {
  await inFolder(async (dir) => {
    const folder = join(dir, "tagger"), source = join(folder, "filter.wat");
    await denim(["filter", "new", folder, "--lang", "wat"]);
    await using dev = new Denim(["filter", "dev", folder, "--cache-dir", join(dir, "cache")]);
    const said = (text: string | RegExp) => dev.printed((d) => d.text.search(text) >= 0);
    await said(/cases: 2 passed, 0 failed/);
    const url = /in force at (http:\S+)/.exec(dev.text)![1]!;
    const teapot = await fetch(`${url}/teapot`);
    assert.deepEqual([teapot.status, await teapot.text()], [418, "I am a teapot\n"]);
    await said(/#1 GET \/teapot\n[^]*#1 +request headers +\d+ fuel +answered/);

    // Requests go on while the filter changes, and each is answered by the old or the new one.
    const answers = new Set<string | null>();
    let stop = false, requests = 0;
    const load = (async () => {
      while (!stop) {
        const response = await fetch(`${url}/people`);
        assert.equal(response.status, 200);
        assert.match(await response.text(), /^GET \/people\n/);
        answers.add(response.headers.get("x-tagger"));
        requests++;
      }
    })();
    let word = "hello";
    for (const next of ["howdy", "heyho", "hullo"]) {
      await change(source, `"${word}"`, `"${next}"`);
      word = next;
      const before = requests;
      await dev.printed(() => answers.has(next) && requests > before);
    }
    stop = true;
    await load;
    assert.deepEqual([...answers], ["hello", "howdy", "heyho", "hullo"]);
    await said(/\+x-tagger: hullo/);

    await change(source, "(call $is_teapot", "(call $trips");
    await said(
      /filter\.wat does not assemble:\nfilter\.wat:\d+:\d+: error: undefined function variable "\$trips"/,
    );
    await said(/The filter that ran before stays in force/);
    assert.equal((await fetch(url)).headers.get("x-tagger"), "hullo");
    await change(
      source,
      "(func $is_teapot",
      "(func $trips (param i32 i32) (result i32) unreachable)\n  (func $is_teapot",
    );
    await said(/cases: 0 passed, 2 failed/);
    const trapped = await fetch(url);
    assert.equal(trapped.status, 503);
    await trapped.body?.cancel();
    await said(/TRAP: [^]*unreachable in trips < proxy_on_request_headers/);
  });
});

Deno.test("denim filter fuzz finds a trap behind an input, and leaves a small case that fails until it is mended", async () => {
  await inFolder(async (dir) => {
    const folder = join(dir, "tagger"), source = join(folder, "filter.wat");
    await denim(["filter", "new", folder, "--lang", "wat"]);
    const flags = ["--cache-dir", dir, "--seed", "7", "--runs", "150"];
    const clean = await denim(["filter", "fuzz", folder, ...flags]);
    assert.equal(clean.code, 0, clean.out);
    assert.match(
      clean.out,
      /150 runs; fuel of the dearest call: \d+ as a rule, \d+ at most; nothing found/,
    );
    // A path of more than 40 bytes: no case of its own has one.
    await change(
      source,
      "(if (call $is_teapot",
      "(if (i32.gt_u (i32.load (i32.const 516)) (i32.const 40)) (then unreachable))\n    (if (call $is_teapot",
    );
    const dirty = await denim(["filter", "fuzz", folder, ...flags]);
    assert.equal(dirty.code, 1, dirty.err);
    assert.match(dirty.out, /FOUND {2}trap: .*unreachable/);
    assert.match(dirty.out, /; 1 found/);
    const again = await denim(["filter", "test", folder, "--cache-dir", dir]);
    assert.equal(again.code, 1);
    assert.match(again.out, /FAILED {2}fuzz: trap: [^]*2 passed, 1 failed$/);
  });
});
