/** Modules for connections: bytes both ways, held, changed and cut. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import { type FakeExchange, type FilterSetup, setUpWat } from "../testing/harness.ts";

const data = (which: string, code: string): string =>
  `(func (export "proxy_on_${which}_data") (param $id i32) (param $size i32) (param $end i32)
     (result i32) ${code})`;
const opens = (code: string, action = 0): string =>
  `(func (export "proxy_on_new_connection") (param i32) (result i32)
     (i32.store (i32.const 36) (local.get 0)) ${code} (i32.const ${action}))`;
/** Goes on in direction `type` of the stream at 36, at the next tick. */
const TICK = (type: number): string =>
  `(func (export "proxy_on_configure") (param i32 i32) (result i32)
     (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
   (func (export "proxy_on_tick") (param i32)
     (call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
     (call $note (call $proxy_continue_stream (i32.const ${type}))))`;
const WORDS = `(data (i32.const 256) "<new>")`;

async function rig(body: string): Promise<FilterSetup> {
  return await setUpWat(WORDS + body, { network: true });
}

function connected(s: FilterSetup): FakeExchange {
  const x = s.exchange({ method: "CONNECT", upgrade: "connect" });
  assert.equal(x.requestHead(false), CONTINUE);
  return x;
}

Deno.test("A connection is announced, its bytes shown both ways, and its end told", async () => {
  const s = await rig(
    opens(`(call $note (local.get 0))`) +
      data(
        "downstream",
        `(call $note (local.get $size)) (call $note (local.get $end)) (i32.const 0)`,
      ) +
      data("upstream", `(call $note (local.get $size)) (i32.const 0)`) +
      `(func (export "proxy_on_downstream_connection_close") (param i32 i32) (call $note (local.get 1)))
       (func (export "proxy_on_upstream_connection_close") (param i32 i32) (call $note (local.get 1)))
       (func (export "proxy_on_delete") (param i32) (call $say (i32.const 256) (i32.const 5)))`,
  );
  const x = connected(s);
  assert.equal(x.tunnelUp("abc"), "abc");
  assert.equal(x.tunnelDown("hello"), "hello");
  assert.equal(x.tunnelUp("", true), "");
  x.end();
  assert.deepEqual(s.notes(), ["2", "3", "0", "5", "0", "1", "2", "1", "<new>"]);
});

Deno.test("Who broke the connection is unknown when something failed", async () => {
  const s = await rig(
    opens("") +
      `(func (export "proxy_on_downstream_connection_close") (param i32 i32) (call $note (local.get 1)))`,
  );
  const x = connected(s);
  x.facts = { ...x.facts, fault: FAULTS["upstream.reset"] };
  x.end();
  assert.deepEqual(s.notes(), ["0"]);
});

Deno.test("A new connection can wait", async () => {
  const s = await rig(opens("", 1) + TICK(2));
  const x = s.exchange({ method: "CONNECT", upgrade: "connect" });
  assert.equal(x.requestHead(false), PAUSE);
  s.clock.ms += 130;
  s.wheel.advance();
  assert.equal(x.resumes, 1);
  assert.deepEqual(s.notes(), ["0"]);
});

for (
  const [which, buffer, hook] of [["downstream", 2, "tunnelUp"], [
    "upstream",
    3,
    "tunnelDown",
  ]] as const
) {
  Deno.test(`Bytes of ${which} can be read, changed, and held until there are enough of them`, async () => {
    const s = await rig(
      opens("") + data(
        which,
        `(if (i32.lt_u (local.get $size) (i32.const 4)) (then (return (i32.const 1))))
         (call $ok (call $proxy_get_buffer_bytes (i32.const ${buffer}) (i32.const 0) (i32.const 99)
           (i32.const 16) (i32.const 20)))
         (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))
         (call $ok (call $proxy_set_buffer_bytes (i32.const ${buffer}) (i32.const 0) (i32.const 0)
           (i32.const 256) (i32.const 5)))
         (call $note (call $proxy_get_buffer_status (i32.const ${buffer - 2}) (i32.const 16)
           (i32.const 20)))
         (i32.const 0)`,
      ),
    );
    const x = connected(s);
    assert.equal(x[hook]("ab"), "");
    assert.equal(x[hook]("cde"), "<new>abcde");
    assert.deepEqual(s.notes(), ["abcde", "1"], "there is no body");
  });

  Deno.test(`The last bytes of ${which} wait for continue_stream`, async () => {
    const s = await rig(opens("") + data(which, `(i32.const 1)`) + TICK(buffer));
    const x = connected(s);
    assert.equal(x[hook]("ab", true), null);
    s.clock.ms += 130;
    s.wheel.advance();
    assert.equal(x.resumes, 1);
    assert.equal(x[hook]("ab", true), "ab");
  });
}

Deno.test("A connection can be cut, and has no headers, trailers or responses", async () => {
  const s = await rig(
    opens("") + data(
      "downstream",
      `(call $note (call $proxy_send_local_response (i32.const 403) (i32.const 0) (i32.const 0)
         (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
       (call $note (call $proxy_add_header_map_value (i32.const 0) (i32.const 256) (i32.const 1)
         (i32.const 256) (i32.const 1)))
       (call $note (call $proxy_continue_stream (i32.const 0)))
       (call $note (call $proxy_close_stream (i32.const 0)))
       (call $note (call $proxy_close_stream (i32.const 2)))
       (i32.const 0)`,
    ),
  );
  const x = connected(s);
  assert.equal(x.tunnelUp("ab"), "");
  assert.equal(x.fault?.code, "wasm.reset");
  assert.deepEqual(s.notes(), ["2", "2", "2", "2", "0"]);
});

Deno.test("A trap cuts the connection when the fail mode is closed", async () => {
  const s = await rig(opens("") + data("upstream", `unreachable`));
  const x = connected(s);
  assert.equal(x.tunnelDown("ab"), "");
  assert.equal(x.fault?.code, "wasm.trapped");
  assert.equal(
    s.exchange({ upgrade: "connect" }).requestHead(false),
    CONTINUE,
    "the next is served",
  );
});

Deno.test("A trap in a new connection refuses it", async () => {
  const s = await rig(opens(`unreachable`));
  assert.equal(s.exchange({ upgrade: "connect" }).requestHead(false), DONE);
});

Deno.test("A module for connections has no hook on a route for HTTP", async () => {
  const { filter } = await setUpWat(WORDS + opens(""), {
    network: true,
    place: { node: "gateway/a/b", listener: "l", direction: "inbound", tunnel: false },
  });
  assert.deepEqual(Object.keys(filter), ["close"]);
});
