import assert from "node:assert/strict";
import { CONTINUE } from "../../core/filter.ts";
import { FakeContext, FakeEnv } from "../fakes.ts";
import { createRewriteFilter } from "./filter.ts";

Deno.test("Rewrite changes host and path of the request that goes on", () => {
  const filter = createRewriteFilter({
    hostname: "Backend.Example",
    path: { type: "ReplacePrefixMatch", value: "/v2", prefix: "/v1" },
  }, new FakeEnv());
  const ctx = new FakeContext("GET", "/v1/items?id=1", "shop:8080");
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), CONTINUE);
  assert.equal(ctx.request.authority, "backend.example");
  assert.equal(ctx.request.path, "/v2/items?id=1");
});

Deno.test("Rewrite leaves alone what it is not told to change", () => {
  const ctx = new FakeContext("GET", "/a?b", "shop:8080");
  createRewriteFilter({}, new FakeEnv()).onRequestHead!(ctx, ctx.request, true);
  assert.deepEqual([ctx.request.authority, ctx.request.path], ["shop:8080", "/a?b"]);
});

Deno.test("Rewrite refuses a host name with a port", () => {
  assert.throws(
    () => createRewriteFilter({ hostname: "a:80" }, new FakeEnv()),
    /rewrite\.hostname: it is "a:80", want a host name without a port/,
  );
});
