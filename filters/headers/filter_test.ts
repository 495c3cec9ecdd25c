import assert from "node:assert/strict";
import { Fields } from "../../core/fields.ts";
import { FakeContext, FakeEnv } from "../fakes.ts";
import { createRequestHeadersFilter, createResponseHeadersFilter } from "./filter.ts";

const NONE = { set: [], add: [], remove: [] };

Deno.test("request-headers sets, then adds, then removes", () => {
  const filter = createRequestHeadersFilter({
    set: [{ name: "x-a", value: "new" }],
    add: [{ name: "x-b", value: "2" }, { name: "x-gone", value: "1" }],
    remove: ["x-gone", "x-absent"],
  }, new FakeEnv());
  const ctx = new FakeContext();
  ctx.request.fields = new Fields(["x-a", "1", "x-b", "1", "x-a", "2", "x-gone", "0"]);
  filter.onRequestHead!(ctx, ctx.request, true);
  assert.deepEqual(ctx.request.fields.lines, ["x-a", "new", "x-b", "1", "x-b", "2"]);
});

Deno.test("request-headers sets the authority when it sets Host", () => {
  const filter = createRequestHeadersFilter(
    { ...NONE, set: [{ name: "host", value: "Shop.Example" }] },
    new FakeEnv(),
  );
  const ctx = new FakeContext();
  filter.onRequestHead!(ctx, ctx.request, true);
  assert.equal(ctx.request.authority, "shop.example");
  assert.equal(ctx.request.fields.has("host"), false);
});

Deno.test("response-headers changes the response and only the response", () => {
  const filter = createResponseHeadersFilter(
    { ...NONE, set: [{ name: "server", value: "denim" }], remove: ["x-powered-by"] },
    new FakeEnv(),
  );
  assert.equal(filter.onRequestHead, undefined);
  const head = { status: 200, fields: new Fields(["x-powered-by", "php", "server", "a"]) };
  filter.onResponseHead!(new FakeContext(), head, true);
  assert.deepEqual(head.fields.lines, ["server", "denim"]);
});

Deno.test("Header modifiers refuse what could split a message or break its framing", () => {
  const refuse = (config: unknown, message: RegExp) =>
    assert.throws(() => createRequestHeadersFilter(config, new FakeEnv()), message);
  const set = (name: string, value: string) => ({ ...NONE, set: [{ name, value }] });
  refuse(set("content-length", "3"), /set\[0\]\.name: it is "content-length", want a field that/);
  refuse({ ...NONE, remove: ["transfer-encoding"] }, /remove\[0\]: it is "transfer-encoding"/);
  refuse(set("x-a", "1\r\nx-b: 2"), /set\[0\]\.value: it is .* without control characters/);
  refuse(set("x-a", " 1"), /outer white space/);
  refuse(set("x-a", "€"), /want a field value/);
  refuse(set("X-Upper", "1"), /want a field name in lower case/);
  refuse(set("a:b", "1"), /want a field name/);
  refuse({ ...NONE, remove: ["host"] }, /remove: it names "host"/);
  refuse({ set: [], add: [] }, /request-headers\.remove: it is missing, want an array/);
});

Deno.test("Header modifiers accept every value a field may hold", () => {
  for (const value of ["", "a", "a b\tc", "x=y; z", "caf\xe9"]) {
    const config = { ...NONE, add: [{ name: "x-a", value }] };
    const filter = createResponseHeadersFilter(config, new FakeEnv());
    const head = { status: 200, fields: new Fields() };
    filter.onResponseHead!(new FakeContext(), head, true);
    assert.equal(head.fields.get("x-a"), value);
  }
});
