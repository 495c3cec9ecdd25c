/** Wasm filters in a proxy over real sockets: bodies, traps in both fail modes, and what a runaway costs its neighbours. */
import assert from "node:assert/strict";
import { filters, filterSpec, route, snapshot, start } from "../support/filter_rig.ts";

const ACTION = "(param $id i32) (param $size i32) (param $end i32) (result i32)";

/** Turns every letter of a request body into upper case, chunk by chunk, and holds it until it is whole. */
const UPPER = `(data (i32.const 256) "content-length")
  (func (export "proxy_on_request_headers") ${ACTION}
    (drop (call $proxy_remove_header_map_value (i32.const 0) (i32.const 256) (i32.const 14)))
    (i32.const 0))
  (func (export "proxy_on_request_body") ${ACTION} (local $p i32) (local $to i32)
    (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
    (global.set $heap (i32.const 4096))
    (if (call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (local.get $size) (i32.const 16)
      (i32.const 20)) (then (return (i32.const 0))))
    (local.set $p (i32.load (i32.const 16)))
    (local.set $to (i32.add (local.get $p) (i32.load (i32.const 20))))
    (block $out (loop $l
      (br_if $out (i32.ge_u (local.get $p) (local.get $to)))
      (if (i32.ge_u (i32.load8_u (local.get $p)) (i32.const 97)) (then
        (i32.store8 (local.get $p) (i32.sub (i32.load8_u (local.get $p)) (i32.const 32)))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br $l)))
    (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (local.get $size)
      (i32.load (i32.const 16)) (i32.load (i32.const 20))))
    (i32.const 0))`;

const LOOP = `(func (export "proxy_on_request_headers") ${ACTION} (loop $l (br $l)) (i32.const 0))`;

/** Marks the response that passes it. */
const MARK = `(data (i32.const 256) "x-marked")
  (func (export "proxy_on_response_headers") ${ACTION}
    (drop (call $proxy_add_header_map_value (i32.const 2) (i32.const 256) (i32.const 8)
      (i32.const 258) (i32.const 6))) (i32.const 0))`;

Deno.test("A body of many chunks is collected, changed and framed anew on its way to the origin", async () => {
  await using rig = await start([route("/", await filterSpec("upper", UPPER))]);
  const body = "abcdefgh".repeat(40_000);
  const response = await fetch(rig.url, { method: "POST", body });
  assert.equal(await response.text(), body.toUpperCase());
});

Deno.test("A body larger than a filter may hold is refused with 413, and the proxy goes on", async () => {
  await using rig = await start([route("/", await filterSpec("upper", UPPER))]);
  const refused = await fetch(rig.url, { method: "POST", body: "x".repeat(3 * 1024 * 1024) })
    .catch((error: unknown) => error);
  // The answer may overtake a body that is still being sent, which some clients report as an error.
  if (refused instanceof Response) {
    assert.equal(refused.status, 413);
    await refused.body?.cancel();
  }
  assert.equal(await (await fetch(rig.url, { method: "POST", body: "ok" })).text(), "OK");
});

Deno.test("A filter that loops fails its own route, and its neighbours keep their latency", async () => {
  await using rig = await start([
    route("/loop/closed", await filterSpec("closed", LOOP)),
    route("/loop/open", await filterSpec("open", LOOP, "open")),
    route("/", await filterSpec("mark", MARK)),
  ]);
  const timed = async (): Promise<number> => {
    const from = performance.now();
    const response = await fetch(`${rig.url}/plain`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-marked"), "marked");
    await response.text();
    return performance.now() - from;
  };
  for (let i = 0; i < 50; i++) await timed();
  let running = true;
  const attack = (async () => {
    const statuses = new Map<string, number>();
    while (running) {
      for (const path of ["/loop/closed", "/loop/open"]) {
        const response = await fetch(rig.url + path);
        await response.text();
        const key = `${path} ${response.status} ${response.headers.get("denim-fault")}`;
        statuses.set(key, (statuses.get(key) ?? 0) + 1);
      }
    }
    return statuses;
  })();
  const times: number[] = [];
  for (let i = 0; i < 300; i++) times.push(await timed());
  running = false;
  const statuses = await attack;
  times.sort((a, b) => a - b);
  // Two traps of some 10 ms each are all the runaway gets before it backs off.
  assert.ok(times[150]! < 50, `the median became ${times[150]} ms`);
  assert.ok((statuses.get("/loop/closed 503 wasm.out_of_fuel") ?? 0) >= 2, text(statuses));
  assert.ok((statuses.get("/loop/closed 503 wasm.backing_off") ?? 0) >= 1, text(statuses));
  assert.deepEqual(
    [...statuses.keys()].filter((key) => key.startsWith("/loop/open")),
    ["/loop/open 200 null"],
  );
  const report = await filters(rig);
  assert.equal(report["default/closed"]!.state, "backing-off");
  assert.match(report["default/closed"]!.lastTrap, /Out of fuel after 10000000 units/);
  assert.equal(report["default/mark"]!.traps, 0);
});

Deno.test("A module that does not start keeps the snapshot before it in force", async () => {
  await using rig = await start([route("/", await filterSpec("mark", MARK))]);
  const bad = await filterSpec(
    "bad",
    `(func (export "proxy_on_configure") (param i32 i32) (result i32) unreachable)`,
  );
  await assert.rejects(
    rig.proxy.engine.apply(snapshot("2", rig.origin, [route("/", bad)])),
    /route "default\/".*filter "default\/bad".*tests\/bad@1\.0\.0 did not start: Trap: unreachable/,
  );
  const response = await fetch(rig.url);
  assert.equal(response.headers.get("x-marked"), "marked");
  await response.text();
});

function text(map: ReadonlyMap<string, number>): string {
  return JSON.stringify([...map]);
}
