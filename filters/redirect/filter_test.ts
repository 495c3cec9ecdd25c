import assert from "node:assert/strict";
import { DONE } from "../../core/filter.ts";
import { FakeContext, FakeEnv } from "../fakes.ts";
import { createRedirectFilter } from "./filter.ts";

function location(config: Record<string, unknown>, path = "/a?b=c", authority = "shop"): string {
  const filter = createRedirectFilter({ statusCode: 302, ...config }, new FakeEnv());
  const ctx = new FakeContext("GET", path, authority);
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), DONE);
  return ctx.response!.fields.get("location")!;
}

Deno.test("Redirect answers with its status and no body", () => {
  const filter = createRedirectFilter({ statusCode: 308, scheme: "https" }, new FakeEnv());
  const ctx = new FakeContext();
  filter.onRequestHead!(ctx, ctx.request, true);
  assert.equal(ctx.response!.status, 308);
  assert.deepEqual(ctx.response!.fields.lines, [
    "location",
    "https://catalog/",
    "content-length",
    "0",
  ]);
  assert.equal(ctx.replyBody, null);
});

Deno.test("Redirect keeps what it is not told to change", () => {
  assert.equal(location({ hostname: "b.example" }), "http://b.example/a?b=c");
  assert.equal(location({ path: { type: "ReplaceFullPath", value: "/x" } }), "http://shop/x?b=c");
  assert.equal(
    location({ path: { type: "ReplacePrefixMatch", value: "/x", prefix: "/a" } }, "/a/d"),
    "http://shop/x/d",
  );
});

Deno.test("Redirect takes the port of a new scheme, else its own, else the client's", () => {
  assert.equal(location({ scheme: "https" }, "/", "shop:8080"), "https://shop/");
  assert.equal(location({ scheme: "https", port: 8443 }, "/", "shop:8080"), "https://shop:8443/");
  assert.equal(location({ hostname: "b" }, "/", "shop:8080"), "http://b:8080/");
  assert.equal(location({ port: 81 }, "/", "shop"), "http://shop:81/");
});

Deno.test("Redirect leaves the well-known port of the scheme unsaid", () => {
  assert.equal(location({ port: 80 }, "/"), "http://shop/");
  assert.equal(location({ scheme: "https", port: 443 }, "/"), "https://shop/");
  assert.equal(location({ scheme: "https", port: 80 }, "/"), "https://shop:80/");
  assert.equal(location({ hostname: "b" }, "/", "shop:80"), "http://b/");
});

Deno.test("Redirect understands an IPv6 authority", () => {
  assert.equal(location({ scheme: "https" }, "/", "[::1]:8080"), "https://[::1]/");
  assert.equal(location({ port: 81 }, "/", "[::1]"), "http://[::1]:81/");
});

Deno.test("Redirect refuses a configuration and names field, value and what it wants", () => {
  const refuse = (config: unknown, message: RegExp) =>
    assert.throws(() => createRedirectFilter(config, new FakeEnv()), message);
  refuse({ statusCode: 300 }, /redirect\.statusCode: it is 300, want one of 301, 302/);
  refuse(
    { statusCode: 302, hostname: "a/b" },
    /redirect\.hostname: it is "a\/b", want a host name/,
  );
  refuse(
    { statusCode: 302, scheme: "ftp" },
    /redirect\.scheme: it is "ftp", want one of http, https/,
  );
  refuse(
    { statusCode: 302, port: 0 },
    /redirect\.port: it is 0, want a whole number from 1 to 65535/,
  );
});
