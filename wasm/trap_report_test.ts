/** What a trap leaves behind: the exchange, the last host calls, fuel; and what it never shows. */
import assert from "node:assert/strict";
import { Fields } from "../core/fields.ts";
import { Metrics } from "../core/metrics.ts";
import { SENSITIVE_HEADERS } from "./permissions.ts";
import { RouteCosts, ROUTES_LIMIT } from "./route_costs.ts";
import { WasmReports } from "./reports.ts";
import { FakeExchange, setUpWat } from "./testing/harness.ts";
import { probeBundle, startProbe } from "./testing/probe.ts";
import { inputOf, TRAP_LIMITS, type TrapReport } from "./trap_report.ts";

const HEADERS = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)';
const BODY = '(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)';

Deno.test("A trap is reported with its functions, host calls and the exchange before the call", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "x-tenant") (data (i32.const 272) "Authorization") (data (i32.const 288) "Bearer abc")
     (func $inner unreachable)
     ${HEADERS}
      (drop (call $proxy_get_header_map_value (i32.const 0) (i32.const 256) (i32.const 8)
        (i32.const 16) (i32.const 20)))
      (drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 256) (i32.const 8)
        (i32.const 256) (i32.const 8)))
      (drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 272) (i32.const 13)
        (i32.const 288) (i32.const 10)))
      (call $say (i32.const 256) (i32.const 8))
      (call $inner) (i32.const 0))`,
  );
  const fields = new Fields([
    "x-tenant",
    "t1",
    "cookie",
    "sid=1",
    "x-jwt",
    `eyJhbGciOi.eyJzdWIi.c2ln`,
  ]);
  s.exchange({ fields, path: "/a?access_token=t0p&b=c" }).requestHead();
  const [trap] = s.reports.traps();
  assert.equal(trap!.kind, "trap");
  assert.match(trap!.text, /unreachable in inner < proxy_on_request_headers/);
  assert.equal(trap!.entry, "proxy_on_request_headers");
  assert.ok(trap!.fuelUsed > 2000 && trap!.fuelLimit === 1_000_000, `${trap!.fuelUsed} fuel`);
  assert.deepEqual(trap!.hostCalls, [
    'proxy_get_header_map_value(requestHeaders, "x-tenant") = 0',
    'proxy_add_header_map_value(requestHeaders, "x-tenant", "x-tenant") = 0',
    'proxy_add_header_map_value(requestHeaders, "Authorization", "[redacted]") = 0',
    'proxy_log(2, "x-tenant") = 0',
  ]);
  const input = trap!.input!;
  assert.deepEqual(input.headers, [
    ...["x-tenant", "t1", "cookie", "[redacted]", "x-jwt", "[redacted JWT]"],
  ]);
  assert.equal(input.path, "/a?access_token=[redacted]&b=c");
  assert.equal(trap!.route, "default/route/0");
  assert.equal(trap!.filter, "default/test");
});

Deno.test("The last host calls of the call that trapped are kept, and no others", async () => {
  const s = await setUpWat(
    `(global $i (mut i32) (i32.const 0))
     ${HEADERS} (call $say (i32.const 0) (i32.const 0)) (i32.const 0))
     ${BODY} (loop $l (drop (call $proxy_set_property (i32.const 256) (i32.const 1) (global.get $i) (i32.const 1)))
       (global.set $i (i32.add (global.get $i) (i32.const 1)))
       (br_if $l (i32.lt_u (global.get $i) (i32.const 100)))) unreachable)`,
  );
  const x = s.exchange();
  x.requestHead(false);
  x.requestData("hello body");
  const [trap] = s.reports.traps();
  assert.equal(trap!.hostCalls.length, TRAP_LIMITS.hostCalls);
  assert.ok(trap!.hostCalls.every((one) => one.startsWith("proxy_set_property(")));
  assert.deepEqual(trap!.input!.body, { text: "hello body", bytes: 10 });
});

Deno.test("A call of the host that did not return is told so, and pointers to nowhere do no harm", async () => {
  const s = await setUpWat(
    `${HEADERS} (drop (call $proxy_log (i32.const 2) (i32.const -1) (i32.const -1)))
      (drop (call $proxy_define_metric (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
      (drop (call $proxy_increment_metric (i32.load (i32.const 16)) (i64.const 5000000000)))
      (call $exit (i32.const 3)) (i32.const 0))`,
    { wat: { imports: '(import "wasi_unstable" "proc_exit" (func $exit (param i32)))' } },
  );
  s.exchange().requestHead();
  const [trap] = s.reports.traps();
  assert.equal(trap!.hostCalls[0], "proxy_log(2, 4294967295 bytes) = 6");
  assert.match(trap!.hostCalls[2]!, /^proxy_increment_metric\(1\) = 0/);
});

Deno.test("What a report shows of an exchange is limited, and credentials are never in it", () => {
  const lines = SENSITIVE_HEADERS.flatMap((name) => [name, "s3cret"]);
  for (let i = 0; i < 200; i++) lines.push(`x-${i}`, "v".repeat(1000));
  const x = new FakeExchange({}, {
    fields: new Fields(lines),
    path: `/${"p".repeat(5000)}`,
  });
  const input = inputOf(x, [new TextEncoder().encode("ä".repeat(4000)), null]);
  assert.ok(!JSON.stringify(input).includes("s3cret"));
  assert.ok(input.headers.join("").length <= TRAP_LIMITS.headersChars);
  assert.equal(input.path.length, TRAP_LIMITS.pathChars);
  assert.equal(input.body!.bytes, 8000);
  assert.equal(input.body!.text, "ä".repeat(2048));
  const binary = inputOf(x, [new Uint8Array([0xff, 0xfe, 0, 1]), null]);
  assert.deepEqual(binary.body, { base64: "//4AAQ==", bytes: 4 });
  assert.ok(JSON.stringify(input).length < 32 * 1024);
});

Deno.test("Only so many traps are kept, of a filter and of all", () => {
  const reports = new WasmReports();
  const kept: TrapReport[] = [];
  reports.keep = (report) => kept.push(report);
  const trap = (filter: string) =>
    ({ filter, atMs: 1_700_000_000_000, hostCalls: [], input: null }) as unknown as TrapReport;
  for (let i = 0; i < 10; i++) reports.trapped(trap("default/a"));
  assert.equal(reports.traps().length, TRAP_LIMITS.perFilter);
  assert.equal(new Set(kept.map((one) => one.id)).size, 10);
  for (let i = 0; i < 100; i++) reports.trapped(trap(`default/f${i}`));
  assert.equal(reports.traps().length, TRAP_LIMITS.all);
  assert.equal(reports.traps().at(-1)!.filter, "default/f99");
});

Deno.test("A trap of a component is reported with what it asked of the host", async () => {
  await probeBundle();
  const traps: Omit<TrapReport, "id">[] = [];
  const { exchange } = await startProbe({ trapped: (one) => traps.push(one) });
  exchange("spin").requestHead();
  assert.equal(traps.length, 1);
  assert.equal(traps[0]!.kind, "fuel");
  assert.equal(traps[0]!.entry, "onRequestHeaders");
  assert.ok(traps[0]!.fuelUsed >= traps[0]!.fuelLimit);
  assert.ok(traps[0]!.input!.headers.join().includes("x-do,spin"));
});

Deno.test("Costs are told by route and module, in metrics and in reports", async () => {
  const s = await setUpWat(`${HEADERS} (i32.const 0))`);
  for (let i = 0; i < 3; i++) s.exchange().requestHead();
  const [report] = s.reports.list();
  assert.equal(report!.exchanges, 3);
  assert.equal(report!.routes[0]!.route, "default/route/0");
  assert.equal(report!.routes[0]!.exchanges, 3);
  assert.ok(report!.routes[0]!.fuel > 0);
  const digest = report!.digest.slice(7, 19);
  assert.match(
    s.metrics.render(),
    new RegExp(
      `denim_wasm_route_exchanges_total\\{filter="default/test",route="default/route/0",digest="${digest}"\\} 3`,
    ),
  );
});

Deno.test("A filter tells only so many routes apart", () => {
  const costs = new RouteCosts(new Metrics(), "default/a", "sha256:abc");
  for (let i = 0; i < 2 * ROUTES_LIMIT; i++) costs.of(`r${i}`).opened();
  const rows = costs.list();
  assert.equal(rows.length, ROUTES_LIMIT + 1);
  assert.equal(rows.at(-1)!.route, "other");
  assert.equal(rows.at(-1)!.exchanges, ROUTES_LIMIT);
});
