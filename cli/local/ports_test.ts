/** Ports stay the same between starts while they can, and a busy one is named. */
import assert from "node:assert/strict";
import { LocalError } from "./explain.ts";
import { choosePorts, isFree } from "./ports.ts";

Deno.test("choosePorts takes remembered ports again while they are free", () => {
  const first = choosePorts(["a", "b"], {});
  assert.notEqual(first["a"], first["b"]);
  assert.deepEqual(choosePorts(["a", "b"], first), first);
});

Deno.test("choosePorts finds another port when a remembered one is busy", () => {
  using busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert.equal(isFree(busy.addr.port), false);
  assert.notEqual(choosePorts(["a"], { a: busy.addr.port })["a"], busy.addr.port);
});

Deno.test("choosePorts refuses a fixed port that is busy and says what to do", () => {
  using busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert.throws(
    () => choosePorts(["a"], {}, { a: busy.addr.port }),
    (problem) => problem instanceof LocalError && /Choose another one/.test(problem.message),
  );
});
