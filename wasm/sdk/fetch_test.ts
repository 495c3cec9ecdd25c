import assert from "node:assert/strict";
import { defineFilter } from "./define.ts";
import { answerWith, resetHost } from "./double.ts";
import { fetch, FilterAbortSignal } from "./fetch.ts";
import { serve } from "./guest.ts";

const HEAD = { method: "GET", scheme: "http", authority: "h", path: "/p", headers: [] };

Deno.test("fetch asks an upstream with what a request needs", async () => {
  resetHost();
  const asked: unknown[] = [];
  answerWith((request) => {
    const { upstream, method, path, headers, body, timeoutMs } = request;
    asked.push([upstream, method, path, headers, new TextDecoder().decode(body), timeoutMs]);
    return { status: 201, headers: { "content-type": "application/json" }, body: '{"a": 1}' };
  });
  const answer = await fetch("http://Users.shop:8080/a/../b?c=d#e", {
    method: "post",
    headers: [["X-A", "1"]],
    body: "text",
    signal: FilterAbortSignal.timeout(7),
  });
  assert.deepEqual(asked, [["users.shop:8080", "POST", "/b?c=d", [["x-a", "1"]], "text", 7]]);
  assert.deepEqual([answer.status, answer.ok], [201, true]);
  assert.equal(answer.headers.get("Content-Type"), "application/json");
  assert.deepEqual(await answer.json(), { a: 1 });
  assert.equal(await answer.text(), '{"a": 1}');
  assert.equal((await answer.arrayBuffer()).byteLength, 8);
});

Deno.test("fetch rejects what cannot be sent, and says why no answer came", async () => {
  resetHost();
  await assert.rejects(fetch("nowhere"), /Invalid URL: "nowhere"/);
  await assert.rejects(fetch("http://a/", { body: "x" }), /A GET request has no body/);
  answerWith(() => new Error("down"));
  await assert.rejects(fetch("http://a/b"), { message: "GET http://a/b failed: down" });
  const results = await Promise.allSettled([fetch("http://a/1"), fetch("http://a/2")]);
  assert.deepEqual(results.map((one) => one.status), ["rejected", "rejected"]);
});

Deno.test("an async hook is a filter like any other, in unit tests too", async () => {
  resetHost();
  answerWith(({ path }) => ({ status: path === "/allow?path=%2Fp" ? 200 : 403, body: "no" }));
  const guest = serve(defineFilter({
    name: "f",
    version: "1",
    async onRequest(request, ctx) {
      const answer = await fetch(`http://auth/allow?path=${encodeURIComponent(request.path)}`);
      if (!answer.ok) return ctx.respond(403, await answer.text());
      request.headers.set("x-checked", "1");
      return;
    },
  }));
  guest.configure("");
  assert.deepEqual(await guest.onRequestHeaders(1, HEAD, true), {
    tag: "continue",
    val: { head: [{ tag: "set", val: ["x-checked", "1"] }] },
  });
  const refused = await guest.onRequestHeaders(2, { ...HEAD, path: "/q" }, true);
  assert.equal(refused.tag, "respond");
});
