import assert from "node:assert/strict";
import { CONTINUE, DONE } from "../../core/filter.ts";
import { FakeContext } from "../fakes.ts";
import { createMtlsFilter } from "./filter.ts";

Deno.test("The mtls filter refuses a request without an identity and lets others go on", () => {
  const filter = createMtlsFilter({});
  const ctx = new FakeContext();
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), DONE);
  assert.deepEqual(ctx.failed, ["downstream.plaintext"]);
  ctx.peer = "spiffe://mesh.test/ns/default/sa/web";
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), CONTINUE);
});

Deno.test("The mtls filter takes no configuration", () => {
  assert.throws(
    () => createMtlsFilter({ mode: "STRICT" }),
    /Cannot read mtls: unknown field "mode"/,
  );
});
