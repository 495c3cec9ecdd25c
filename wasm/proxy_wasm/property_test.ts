/** Properties by Envoy's paths, and what filters leave for each other. */
import assert from "node:assert/strict";
import { Fields } from "../../core/fields.ts";
import { FAULTS } from "../../core/fault.ts";
import { FakeExchange, type FilterSetup, setUpWat } from "../testing/harness.ts";
import { bytesWat } from "../testing/wat_data.ts";

const PLACE = {
  node: "sidecar/default/app",
  listener: "inbound",
  direction: "inbound",
  tunnel: false,
} as const;

/** Says in each callback what `path` is: as text, or as a number of 8 bytes where `size` says so. */
async function reader(path: string, number: boolean): Promise<FilterSetup> {
  const { wat, size } = bytesWat(new TextEncoder().encode(path.replaceAll(".", "\0")));
  const read = `(if (call $proxy_get_property (i32.const 256) (i32.const ${size}) (i32.const 16)
      (i32.const 20)) (then (call $say (i32.const 400) (i32.const 1)))
    (else ${
    number
      ? `(call $note (i32.load (i32.const 20)))
         (call $note (i32.wrap_i64 (i64.load (i32.load (i32.const 16)))))`
      : "(call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))"
  }))`;
  const callback = (name: string, result: string): string =>
    `(func (export "proxy_on_${name}") (param i32 i32 i32) (result i32) ${read} (i32.const ${result}))`;
  return await setUpWat(
    `(data (i32.const 256) "${wat}") (data (i32.const 400) "-")` +
      callback("request_headers", "0") + callback("request_body", "0") +
      callback("response_headers", "0"),
    { place: PLACE, vmId: "vm1" },
  );
}

const TEXTS: Readonly<Record<string, string>> = {
  "destination.address": "127.0.0.1:8080",
  "upstream.address": "10.0.0.1:9000",
  "connection.requested_server_name": "app.example",
  "listener_name": "inbound",
  "xds.listener_name": "inbound",
  "node.id": "sidecar/default/app",
  "node.cluster": "app.default",
  "plugin_vm_id": "vm1",
  "plugin_name": "default/test",
  "response.code_details": "-",
  "upstream.transport_failure_reason": "-",
  "connection.tls_version": "-",
};

for (const [path, wanted] of Object.entries(TEXTS)) {
  Deno.test(`Property ${path} is ${wanted === "-" ? "not there for every exchange" : "text"}`, async () => {
    const s = await reader(path, false);
    s.exchange().requestHead();
    assert.deepEqual(s.notes(), [wanted]);
  });
}

const NUMBERS: Readonly<Record<string, number>> = {
  "destination.port": 80,
  "upstream.port": 90,
  "listener_direction": 1,
  "response.flags": 0,
};

for (const [path, wanted] of Object.entries(NUMBERS)) {
  Deno.test(`Property ${path} is a number of eight bytes`, async () => {
    const s = await reader(path, true);
    const x = s.exchange();
    x.facts = { ...x.facts, local: "127.0.0.1:80", endpoint: "10.0.0.1:90" };
    x.requestHead();
    assert.deepEqual(s.notes(), ["8", String(wanted)]);
  });
}

Deno.test("Sizes of bodies are what the head promises, then what has come", async () => {
  const s = await reader("request.size", true);
  const x = s.exchange({ fields: new Fields(["content-length", "5"]) });
  x.requestHead(false);
  x.requestData("abc");
  assert.deepEqual(s.notes(), ["8", "5", "8", "3"]);
});

Deno.test("Property response.grpc_status is there once the response has one", async () => {
  const s = await reader("response.grpc_status", true);
  const x = s.exchange();
  x.requestHead();
  x.responseHead(true, 200, ["grpc-status", "7"]);
  assert.deepEqual(s.notes(), ["-", "8", "7"]);
});

Deno.test("Faults show as response flags, details and why the connection failed", async () => {
  const broken = async (path: string, number = false): Promise<string[]> => {
    const s = await reader(path, number);
    const x = s.exchange();
    x.facts = { ...x.facts, fault: FAULTS["upstream.connect"] };
    x.responseHead(true, 503);
    return s.notes();
  };
  assert.deepEqual(await broken("response.flags", true), ["8", "32"]);
  assert.deepEqual(await broken("response.code_details"), ["upstream.connect"]);
  assert.deepEqual(await broken("upstream.transport_failure_reason"), [
    FAULTS["upstream.connect"].detail,
  ]);
});

/** Sets the property "a" "b" to "x", by a host call or by Envoy's function for it. */
const SETS = (how: string): string =>
  `(data (i32.const 256) "a\\00b") (data (i32.const 264) "x")
   (data (i32.const 270) "set_envoy_filter_state") (data (i32.const 300) "\\0a\\03a.b\\12\\01x\\18\\01")
   (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
     (call $ok ${how}) (i32.const 0))`;
const BY_CALL =
  `(call $proxy_set_property (i32.const 256) (i32.const 3) (i32.const 264) (i32.const 1))`;
const BY_FUNCTION = `(call $proxy_call_foreign_function (i32.const 270) (i32.const 22)
  (i32.const 300) (i32.const 10) (i32.const 0) (i32.const 0))`;

for (const [what, how] of [["proxy_set_property", BY_CALL], ["a function", BY_FUNCTION]] as const) {
  Deno.test(`What a filter leaves by ${what} is there for later filters of its exchange`, async () => {
    const sets = await setUpWat(SETS(how));
    for (const path of ["a.b", "filter_state.wasm.a.b"]) {
      const s = await reader(path, false);
      const x: FakeExchange = s.exchange();
      x.requestHead();
      x.slots.length = 0; // as if each had a slot of its own
      sets.filter.onRequestHead!(x, x.request, true);
      x.slots.length = 0;
      x.requestHead();
      s.exchange().requestHead();
      assert.deepEqual(s.notes(), ["-", "x", "-"]);
    }
  });
}

Deno.test("Foreign functions Envoy has and nobody needs here are not found", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "clear_route_cache") (data (i32.const 280) "expr_create")
     (func $fn (param i32 i32) (result i32) (call $proxy_call_foreign_function (local.get 0)
       (local.get 1) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 20)))
     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
       (call $note (call $fn (i32.const 256) (i32.const 17)))
       (call $note (call $fn (i32.const 280) (i32.const 11))) (i32.const 0))`,
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["0", "1"]);
});
