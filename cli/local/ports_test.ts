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

Deno.test("choosePorts looks below the ports that outgoing connections get, past those that are busy", () => {
  const [busy, free] = [0.25, 0.5];
  using taken = Deno.listen({
    hostname: "127.0.0.1",
    port: choosePorts(["a"], {}, {}, () => busy)["a"]!,
  });
  const sequence = [busy, free];
  const chosen = choosePorts(["a"], {}, {}, () => sequence.shift() ?? 0.75)["a"]!;
  assert.notEqual(chosen, taken.addr.port);
  assert.ok(chosen >= 18_000 && chosen < 32_000, String(chosen));
});
