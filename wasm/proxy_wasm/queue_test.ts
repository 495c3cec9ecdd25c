/** Shared queues, within one plugin and between plugins. */
import assert from "node:assert/strict";
import { PAUSE } from "../../core/filter.ts";
import { WASM_LIMITS } from "../limits.ts";
import { setUpWat } from "../testing/harness.ts";
import { SharedQueues } from "./shared_queues.ts";

const DATA =
  `(data (i32.const 256) "jobs") (data (i32.const 264) "vm1") (data (i32.const 270) "one")
  (data (i32.const 274) "two")
  (func $put (param i32) (result i32)
    (call $proxy_enqueue_shared_queue (i32.load (i32.const 32)) (local.get 0) (i32.const 3)))
  (func $take (param $id i32)
    (local $status i32)
    (local.set $status (call $proxy_dequeue_shared_queue (local.get $id) (i32.const 16) (i32.const 20)))
    (if (local.get $status) (then (call $note (local.get $status)))
      (else (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20))))))`;
const REGISTER = `(func (export "proxy_on_configure") (param i32 i32) (result i32)
  (call $ok (call $proxy_register_shared_queue (i32.const 256) (i32.const 4) (i32.const 32)))
  (i32.const 1))`;
const RESOLVE = (vmIdSize: number): string =>
  `(call $proxy_resolve_shared_queue (i32.const 264) (i32.const ${vmIdSize}) (i32.const 256)
     (i32.const 4) (i32.const 32))`;
const onRequest = (code: string, action = 0): string =>
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) ${code} (i32.const ${action}))`;
const ON_READY = `(func (export "proxy_on_queue_ready") (param i32 i32)
  (call $note (local.get 0)) (call $note (local.get 1)) (call $take (local.get 1)))`;

Deno.test("What is put into a queue comes out in order, as later events on the root context", async () => {
  const s = await setUpWat(
    DATA + REGISTER + ON_READY + onRequest(`
      (call $ok (call $put (i32.const 270))) (call $ok (call $put (i32.const 274)))
      (call $note (i32.const 77))`),
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["77"]);
  await Promise.resolve();
  assert.deepEqual(s.notes(), ["1", "1", "one", "1", "1", "two"]);
});

Deno.test("An empty queue says so, an unknown one is not found", async () => {
  const s = await setUpWat(
    DATA + REGISTER + onRequest(`
      (call $take (i32.load (i32.const 32))) (call $take (i32.const 9))
      (call $note (call $proxy_enqueue_shared_queue (i32.const 9) (i32.const 270) (i32.const 3)))
      (i32.store8 (i32.const 256) (i32.const 88))
      (call $note ${RESOLVE(0)})`),
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["7", "1", "1", "1"]);
});

Deno.test("A queue is found by other bindings of its vm_id, and by nobody of another namespace", async () => {
  const kept = new Map<string, unknown>();
  const owner = await setUpWat(DATA + REGISTER + ON_READY, {
    name: "default/owner",
    vmId: "vm1",
    kept,
  });
  const other = onRequest(`(call $note ${RESOLVE(3)})
    (if (i32.load (i32.const 32)) (then (call $ok (call $put (i32.const 270)))))`);
  const near = await setUpWat(DATA + other, { name: "default/near", vmId: "vm2", kept });
  const far = await setUpWat(DATA + other, { name: "else/far", vmId: "vm1", kept });
  near.exchange().requestHead();
  far.exchange().requestHead();
  assert.deepEqual(near.notes(), ["0"]);
  assert.deepEqual(far.notes(), ["1"]);
  await Promise.resolve();
  assert.deepEqual(owner.notes(), ["1", "1", "one"]);
});

Deno.test("A queue without a vm_id is its binding's own", async () => {
  const kept = new Map<string, unknown>();
  await setUpWat(DATA + REGISTER, { name: "default/owner", kept });
  const other = await setUpWat(DATA + onRequest(`(call $note ${RESOLVE(0)})`), {
    name: "default/other",
    kept,
  });
  other.exchange().requestHead();
  assert.deepEqual(other.notes(), ["1"]);
});

Deno.test("Shared data is shared by bindings with the same vm_id only", async () => {
  const kept = new Map<string, unknown>();
  const set = onRequest(`(call $ok (call $proxy_set_shared_data (i32.const 256) (i32.const 4)
    (i32.const 270) (i32.const 3) (i32.const 0)))`);
  const get = onRequest(`(call $note (call $proxy_get_shared_data (i32.const 256) (i32.const 4)
    (i32.const 16) (i32.const 20) (i32.const 24)))`);
  const first = await setUpWat(DATA + set, { name: "default/a", vmId: "vm1", kept });
  first.exchange().requestHead();
  const same = await setUpWat(DATA + get, { name: "default/b", vmId: "vm1", kept });
  const not = await setUpWat(DATA + get, { name: "default/c", kept });
  same.exchange().requestHead();
  not.exchange().requestHead();
  assert.deepEqual([same.notes(), not.notes()], [["0"], ["1"]]);
});

Deno.test("A stream that pauses with a queue registered may be woken by it", async () => {
  const s = await setUpWat(
    DATA + REGISTER + onRequest(`(i32.store (i32.const 36) (local.get 0))`, 1) +
      `(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
       (func (export "proxy_on_queue_ready") (param i32 i32)
         (call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
         (call $ok (call $proxy_continue_stream (i32.const 0))))
       (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
         (call $ok (call $put (i32.const 270))) (i32.const 0))`,
  );
  const x = s.exchange();
  assert.equal(x.requestHead(false), PAUSE);
  s.exchange().responseHead(true);
  await Promise.resolve();
  assert.equal(x.resumes, 1);
});

Deno.test("Queues are bounded in number, items and bytes", () => {
  const queues = new SharedQueues();
  const id = queues.register("a", "q");
  for (let i = 0; i < WASM_LIMITS.queueItems; i++) queues.enqueue(id, new Uint8Array(1));
  assert.equal(queues.enqueue(id, new Uint8Array(1)), 10);
  const large = queues.register("a", "large");
  assert.equal(queues.enqueue(large, new Uint8Array(WASM_LIMITS.queueBytes)), 10);
  assert.equal((queues.dequeue(id) as Uint8Array).length, 1);
  assert.equal(queues.enqueue(id, new Uint8Array(1)), 0);
  for (let i = 2; i < WASM_LIMITS.queues; i++) {
    assert.notEqual(queues.register("a", `q${i}`), 0);
  }
  assert.equal(queues.register("a", "one too many"), 0);
  assert.equal(queues.register("a", "q"), id, "the same again");
  assert.equal(queues.register("b", "x".repeat(WASM_LIMITS.queueNameChars + 1)), 0);
});
