/** What a Wasm filter costs an exchange, and what metering costs the code inside. */
import type { Filter } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import { FUEL_EXPORT, instrument } from "../../wasm/instrument.ts";
import { FakeExchange, setUpWat } from "../../wasm/testing/harness.ts";
import { compileWat } from "../../wasm/wat.ts";

const ACTION = "(param i32 i32 i32) (result i32)";

const noop = await setUpWat(`
  (func (export "proxy_on_request_headers") ${ACTION} (i32.const 0))
  (func (export "proxy_on_response_headers") ${ACTION} (i32.const 0))`);

const headers = await setUpWat(`
  (data (i32.const 256) "user-agent") (data (i32.const 272) "x-one") (data (i32.const 280) "value")
  (func (export "proxy_on_request_headers") ${ACTION}
    (global.set $heap (i32.const 4096))
    (drop (call $proxy_get_header_map_value (i32.const 0) (i32.const 256) (i32.const 10)
      (i32.const 16) (i32.const 20)))
    (drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 272) (i32.const 5)
      (i32.const 280) (i32.const 5)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") ${ACTION}
    (drop (call $proxy_replace_header_map_value (i32.const 2) (i32.const 272) (i32.const 5)
      (i32.const 280) (i32.const 5)))
    (i32.const 0))`);

const pairs = await setUpWat(`
  (func (export "proxy_on_request_headers") ${ACTION}
    (global.set $heap (i32.const 4096))
    (drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 16) (i32.const 20)))
    (i32.const 0))`);

// deno-fmt-ignore
const LINES = ["user-agent", "curl/8.0", "accept", "*/*", "x-request-id", "4bf92f3577b34da6a3ce929d0e0e4736",
  "x-forwarded-for", "10.0.0.1", "cookie", "a=b; c=d", "accept-encoding", "gzip, br"];

function exchange(filter: Filter): void {
  const x = new FakeExchange(filter, { fields: new Fields(LINES.slice()) });
  x.requestHead();
  if (filter.onResponseHead !== undefined) {
    x.responseHead(true, 200, ["content-type", "text/plain"]);
  }
  x.end();
}

Deno.bench("an exchange without a filter (the harness itself)", () => {
  const x = new FakeExchange(noop.filter, { fields: new Fields(LINES.slice()) });
  x.response = { status: 200, fields: new Fields(["content-type", "text/plain"]) };
});
Deno.bench("an exchange through a no-op filter", () => exchange(noop.filter));
Deno.bench("an exchange through a filter that reads one header and sets two", () => {
  exchange(headers.filter);
});
Deno.bench("an exchange through a filter that reads all headers", () => exchange(pairs.filter));

/** Small programs with different ratios of branches to work. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "tight loop": `(func (export "f") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 31))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))`,
  "byte scan": `(func (export "f") (param i32) (result i32) (local i32 i32)
    (loop $outer
      (local.set 1 (i32.const 0))
      (loop $l
        (if (i32.eq (i32.load8_u (local.get 1)) (i32.const 10))
          (then (local.set 2 (i32.add (local.get 2) (i32.const 1)))))
        (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 65536))))
      (br_if $outer (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 65536))) (i32.const 0))))
    (local.get 2))`,
  "recursion": `(func $fib (export "f") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))`,
};
const ARGUMENT: Readonly<Record<string, number>> = {
  "tight loop": 1_000_000,
  "byte scan": 1_000_000,
  "recursion": 24,
};

for (const [name, body] of Object.entries(PROGRAMS)) {
  const plain = await compileWat(`(module (memory 1) ${body})`);
  for (const kind of ["plain", "metered"] as const) {
    const bytes = kind === "plain" ? plain : instrument(plain, { maxPages: 16, maxTable: 10 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const run = exports["f"] as (n: number) => number;
    const fuel = exports[FUEL_EXPORT] as WebAssembly.Global | undefined;
    Deno.bench(`${name}, ${kind}`, { group: name, baseline: kind === "plain" }, () => {
      if (fuel !== undefined) fuel.value = 1n << 60n;
      run(ARGUMENT[name]!);
    });
  }
}
