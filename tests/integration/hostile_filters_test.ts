/** Every hostile filter there is a name for, in one proxy: each costs its own route only, and the proxy outlives them all. */
import assert from "node:assert/strict";
import { filters, filterSpec, type Rig, route, snapshot, start } from "../support/filter_rig.ts";
import { HOSTILE, type Hostile } from "../support/hostile_modules.ts";

/** Marks the response that passes it. */
const MARK = `(data (i32.const 256) "x-marked")
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $proxy_add_header_map_value (i32.const 2) (i32.const 256) (i32.const 8)
      (i32.const 258) (i32.const 6))) (i32.const 0))`;

/** One request; status and fault of the answer, or "cut" when it did not come whole. */
async function ask(url: string, method: "GET" | "POST"): Promise<string> {
  try {
    const body = method === "POST" ? "some bytes" : null;
    const response = await fetch(url, { method, body, signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return `${response.status} ${response.headers.get("denim-fault")}`;
  } catch (error) {
    assert.notEqual((error as Error).name, "TimeoutError", `no answer at ${url}`);
    return "cut null";
  }
}

/** Asks the neighbour over and over until told to stop; returns whatever was not as it should be. */
function neighbour(rig: Rig): () => Promise<string[]> {
  let running = true;
  const wrong: string[] = [];
  const loop = (async () => {
    while (running) {
      const response = await fetch(`${rig.url}/plain`);
      await response.text();
      const seen = `${response.status} ${response.headers.get("x-marked")}`;
      if (seen !== "200 marked") wrong.push(seen);
    }
  })();
  return async () => {
    running = false;
    await loop;
    return wrong;
  };
}

const cases = Object.entries(HOSTILE);

for (const failMode of ["closed", "open"] as const) {
  Deno.test(`A proxy with ${cases.length} hostile filters that fail ${failMode} serves everybody else`, async (t) => {
    const hostile = await Promise.all(
      cases.map(async ([, { body, wat }], i) =>
        route(`/h${i}/`, await filterSpec(`h${i}`, body, failMode, wat))
      ),
    );
    await using rig = await start([...hostile, route("/", await filterSpec("mark", MARK))]);
    const stop = neighbour(rig);
    for (const [i, [name, { answer, trap }]] of cases.entries()) {
      await t.step(name, async () => {
        const wanted = failMode === "open" && trap !== undefined ? /^(200|cut) null$/ : answer;
        assert.match(await ask(`${rig.url}/h${i}/`, "POST"), wanted);
        for (const method of ["GET", "POST", "POST"] as const) {
          const again = await ask(`${rig.url}/h${i}/`, method);
          if (failMode === "open") assert.match(again, /^(200|400|418|431|502|503|cut) null$/);
        }
      });
    }
    assert.deepEqual(await stop(), []);
    const report = await filters(rig);
    for (const [i, [name, { trap }]] of cases.entries()) {
      const { traps, lastTrap } = report[`default/h${i}`]!;
      if (trap === undefined) assert.equal(traps, 0, `${name}: ${lastTrap}`);
      else assert.match(lastTrap, trap, name);
    }
    assert.equal(report["default/mark"]!.traps, 0);
  });
}

const LOOP = "(loop $l (br $l))";

/** Modules that must not come into force at all. */
const REFUSED: Readonly<Record<string, Pick<Hostile, "body" | "wat">>> = {
  "a start function that loops": { body: `(func $s ${LOOP}) (start $s)` },
  "a start function that traps": { body: `(func $s unreachable) (start $s)` },
  "a start function that recurses": { body: `(func $s (call $s) (nop)) (start $s)` },
  "_initialize that loops": { body: `(func (export "_initialize") ${LOOP})` },
  "a root context that traps": {
    body: `(func (export "proxy_on_context_create") (param i32 i32) unreachable)`,
  },
  "on_vm_start that loops": {
    body: `(func (export "proxy_on_vm_start") (param i32 i32) (result i32) ${LOOP} (i32.const 1))`,
  },
  "on_configure that says no": {
    body: `(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))`,
  },
  "no memory": { body: "", wat: { memory: `(memory 1)` } },
  "a memory that is a function": {
    body: `(func (export "memory"))`,
    wat: { memory: `(memory 1)` },
  },
  "a memory of its host": { body: "", wat: { memory: `(import "env" "memory" (memory 1))` } },
  "a table of its host": { body: "", wat: { imports: `(import "env" "t" (table 1 funcref))` } },
  "a host call of other types": {
    body: "",
    wat: { imports: `(import "env" "proxy_done" (func (param f64)))` },
  },
};

Deno.test("No module that cannot start comes into force, whatever it does on the way", async (t) => {
  await using rig = await start([route("/", await filterSpec("mark", MARK))]);
  for (const [name, { body, wat }] of Object.entries(REFUSED)) {
    await t.step(name, async () => {
      const bad = route("/", await filterSpec("bad", body, "closed", wat));
      await assert.rejects(
        rig.proxy.engine.apply(snapshot(name, rig.origin, [bad])),
        /did not start/,
      );
      assert.equal(await ask(rig.url, "GET"), "200 null");
    });
  }
  const response = await fetch(rig.url);
  assert.equal(response.headers.get("x-marked"), "marked");
  await response.text();
});
