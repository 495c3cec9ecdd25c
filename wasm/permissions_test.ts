import assert from "node:assert/strict";
import { CONTINUE } from "../core/filter.ts";
import { Fields } from "../core/fields.ts";
import { NameRule, permissionsOf, Permits, SENSITIVE_HEADERS } from "./permissions.ts";
import { type FilterSetup, setUpWat } from "./testing/harness.ts";
import { startProbe } from "./testing/probe.ts";

const HEADERS = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)';

Deno.test("A rule knows exact names, beginnings and ends, and remembers only so many", () => {
  const rule = new NameRule(["a", "b-*", "*-c"]);
  for (
    const [name, answer] of [
      ["a", true],
      ["ab", false],
      ["b-", true],
      ["b-x", true],
      ["x-c", true],
      ["c", false],
    ] as const
  ) {
    assert.equal(rule.allows(name), answer, name);
    assert.equal(rule.allows(name), answer, `${name} again`);
  }
  const all = new NameRule(["*"]);
  for (let i = 0; i < 2000; i++) assert.ok(all.allows(`n${i}`));
  assert.equal(new NameRule([]).allows("a"), false);
});

Deno.test("Headers that carry credentials are under no star, and granted by their name", () => {
  const star = new Permits(permissionsOf());
  const wide = new Permits(
    permissionsOf({ headers: { read: ["*", "a*", "*e", "c*", "s*", "p*", "x-*"] } }),
  );
  const named = new Permits(permissionsOf({ headers: { read: SENSITIVE_HEADERS } }));
  for (const name of SENSITIVE_HEADERS) {
    assert.equal(star.read.allows(name), false, name);
    assert.equal(star.write.allows(name), false, name);
    assert.equal(star.remove.allows(name), false, name);
    assert.equal(wide.read.allows(name), false, name);
    assert.equal(named.read.allows(name), true, name);
  }
  assert.ok(star.read.allows("x-request-id") && star.read.allows(":path"));
});

function denied(s: FilterSetup): unknown[] {
  return s.logs.filter((line) => line["msg"] === "wasm.denied").map((line) => line["call"]);
}

const FIELDS = ["accept", "*/*", "authorization", "Bearer abc", "cookie", "a=b", "x-keep", "1"];

Deno.test("A reader sees a map without the headers it may not see, by every call there is", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "authorization") (data (i32.const 272) "x-keep")
     (data (i32.const 288) "request\\00headers\\00cookie") (data (i32.const 320) "request\\00headers")
     ${HEADERS}
      (call $note (call $proxy_get_header_map_value (i32.const 0) (i32.const 256) (i32.const 13)
        (i32.const 16) (i32.const 20)))
      (call $note (call $proxy_get_header_map_value (i32.const 0) (i32.const 272) (i32.const 6)
        (i32.const 16) (i32.const 20)))
      (call $note (call $proxy_get_property (i32.const 288) (i32.const 22) (i32.const 16) (i32.const 20)))
      (call $ok (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 16) (i32.const 20)))
      (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))
      (call $ok (call $proxy_get_header_map_size (i32.const 0) (i32.const 24)))
      (if (i32.ne (i32.load (i32.const 24)) (i32.load (i32.const 20))) (then unreachable))
      (call $ok (call $proxy_get_property (i32.const 320) (i32.const 15) (i32.const 16) (i32.const 20)))
      (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))
      (i32.const 0))`,
    { permissions: {} },
  );
  assert.equal(s.exchange({ fields: new Fields([...FIELDS]) }).requestHead(), CONTINUE);
  const [first, second, third, pairs, property] = s.notes();
  assert.deepEqual([first, second, third], ["1", "0", "1"]);
  for (const text of [pairs!, property!]) {
    assert.ok(text.includes("accept\0*/*") && text.includes("x-keep\x001"), text);
    assert.ok(!text.includes("Bearer") && !text.includes("a=b"), text);
  }
});

/** `accept: new`, `x-new: 1` and nothing else, as the ABI encodes it. */
const PAIRS = "\\02\\00\\00\\00\\06\\00\\00\\00\\03\\00\\00\\00\\05\\00\\00\\00\\01\\00\\00\\00" +
  "accept\\00new\\00x-new\\001\\00";

Deno.test("A new map leaves alone what the filter may not see, write or remove", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "${PAIRS}")
     ${HEADERS} (call $ok (call $proxy_set_header_map_pairs (i32.const 0) (i32.const 256)
       (i32.const 39))) (i32.const 0))`,
    {
      permissions: {
        headers: { write: ["accept", "cookie"], remove: ["accept", "authorization"] },
      },
    },
  );
  const x = s.exchange({ fields: new Fields([...FIELDS]) });
  assert.equal(x.requestHead(), CONTINUE);
  assert.deepEqual(x.request.fields.lines, [
    ...["accept", "new", "authorization", "Bearer abc", "cookie", "a=b", "x-keep", "1"],
  ]);
  assert.equal(x.request.path, "/a?b=c");
});

Deno.test("Writing and removing are granted apart, name by name", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "x-a") (data (i32.const 264) "x-b") (data (i32.const 272) ":path")
     ${HEADERS}
      (call $note (call $proxy_replace_header_map_value (i32.const 0) (i32.const 256) (i32.const 3)
        (i32.const 256) (i32.const 3)))
      (call $note (call $proxy_add_header_map_value (i32.const 0) (i32.const 264) (i32.const 3)
        (i32.const 256) (i32.const 3)))
      (call $note (call $proxy_remove_header_map_value (i32.const 0) (i32.const 256) (i32.const 3)))
      (call $note (call $proxy_remove_header_map_value (i32.const 0) (i32.const 264) (i32.const 3)))
      (call $note (call $proxy_replace_header_map_value (i32.const 0) (i32.const 272) (i32.const 5)
        (i32.const 256) (i32.const 3)))
      (i32.const 0))`,
    { permissions: { headers: { write: ["x-a"], remove: ["x-b"] } } },
  );
  const x = s.exchange({ fields: new Fields(["x-b", "1"]) });
  assert.equal(x.requestHead(), CONTINUE);
  assert.deepEqual(x.request.fields.lines, ["x-a", "x-a"]);
  assert.equal(x.request.path, "/a?b=c");
  assert.deepEqual(denied(s), ["write header x-b", "remove header x-a", "write header :path"]);
  assert.deepEqual(s.notes(), ["0", "10", "10", "0", "10"]);
});

Deno.test("Keys, metrics and properties are granted by name", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "mine.a") (data (i32.const 272) "other") (data (i32.const 288) "request\\00path")
     (func $try (param $at i32) (param $size i32)
      (call $note (call $proxy_set_shared_data (local.get $at) (local.get $size) (i32.const 256)
        (i32.const 1) (i32.const 0)))
      (call $note (call $proxy_get_shared_data (local.get $at) (local.get $size) (i32.const 16)
        (i32.const 20) (i32.const 24)))
      (call $note (call $proxy_define_metric (i32.const 0) (local.get $at) (local.get $size)
        (i32.const 16)))
      (call $note (call $proxy_set_property (local.get $at) (local.get $size) (i32.const 256)
        (i32.const 1))))
     ${HEADERS} (call $try (i32.const 256) (i32.const 6)) (call $try (i32.const 272) (i32.const 5))
      (call $note (call $proxy_get_property (i32.const 288) (i32.const 12) (i32.const 16) (i32.const 20)))
      (i32.const 0))`,
    { permissions: { sharedData: ["mine.*"], metrics: ["mine.*"], properties: ["mine.*"] } },
  );
  assert.equal(s.exchange().requestHead(), CONTINUE);
  assert.deepEqual(denied(s), [
    "shared key other",
    "metric other",
    "property other",
    "property request.path",
  ]);
  assert.deepEqual(s.notes(), ["0", "0", "0", "0", "10", "1", "10", "10", "1"]);
});

Deno.test("What is denied is logged once by name, and only so many names", async () => {
  const s = await setUpWat(
    `(global $n (mut i32) (i32.const 0))
     ${HEADERS} (i32.store (i32.const 256) (i32.add (i32.const 0x61616161) (global.get $n)))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (drop (call $proxy_set_shared_data (i32.const 256) (i32.const 4) (i32.const 256) (i32.const 1)
        (i32.const 0))) (i32.const 0))`,
    { permissions: { sharedData: [] } },
  );
  for (let i = 0; i < 100; i++) s.exchange().requestHead();
  assert.equal(denied(s).length, 64);
});

Deno.test("Wrong permissions are an error that names the list", async () => {
  for (const list of ["all", ["a*b"], [1], ["with space"]]) {
    await assert.rejects(
      setUpWat(`${HEADERS} (i32.const 0))`, { permissions: { headers: { read: list } } as never }),
      /"permissions\.headers\.read" is .*, want a list of names, each with at most one "\*"/,
    );
    await assert.rejects(
      setUpWat(`${HEADERS} (i32.const 0))`, { permissions: { metrics: list } as never }),
      /"permissions\.metrics" is/,
    );
  }
});

Deno.test("A component is held to the same names", async () => {
  const { exchange, logs } = await startProbe({
    permissions: {
      headers: { read: ["x-do"], write: [], remove: [] },
      sharedData: [],
      metrics: [],
    },
  });
  const edited = exchange("edit");
  assert.equal(edited.requestHead(), CONTINUE);
  assert.equal(edited.request.fields.has("x-set"), false);
  assert.equal(edited.request.path, "/a?b=c");
  exchange("kv").requestHead();
  const names = logs.filter((line) => line.msg === "wasm.denied").map((line) => String(line.call));
  assert.ok(names.some((one) => one.startsWith("write header")), names.join());
  assert.ok(names.some((one) => one.startsWith("sharedData")), names.join());
});
