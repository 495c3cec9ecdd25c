/** Builds the example and runs it in the proxy's host. */
import assert from "node:assert/strict";
import { admitIfBuilt, hostExample } from "../support.ts";

const example = await admitIfBuilt("c-response-rewrite");
const ignore = example === null;
const config = "http://web.internal => https://www.example.com\nsecret => \n";

Deno.test({
  name: "response-rewrite replaces texts in a body, also one that is split between chunks",
  ignore,
  fn: async () => {
    const { exchange } = await hostExample(example!, { config });
    const call = exchange();
    call.responseHead(false, 200, [
      ...["content-type", "text/html; charset=utf-8", "content-length", "61", "etag", '"1"'],
    ]);
    const { fields } = call.response!;
    assert.equal(fields.has("content-length"), false);
    assert.equal(fields.has("etag"), false);
    assert.equal(call.responseData("<a href='http://web.int"), "");
    assert.equal(
      call.responseData("ernal/a'>secret</a> http://web.internal", true),
      "<a href='https://www.example.com/a'></a> https://www.example.com",
    );
  },
});

Deno.test({
  name: "response-rewrite replaces texts in redirects",
  ignore,
  fn: async () => {
    const { exchange } = await hostExample(example!, { config });
    const call = exchange();
    call.responseHead(true, 302, ["location", "http://web.internal/login?next=/"]);
    assert.equal(call.response!.fields.get("location"), "https://www.example.com/login?next=/");
  },
});

for (
  const [what, lines] of [
    ["images", ["content-type", "image/png"]],
    ["compressed bodies", ["content-type", "text/html", "content-encoding", "gzip"]],
    ["bodies of no type", []],
  ] as const
) {
  Deno.test({
    name: `response-rewrite leaves ${what} as they are`,
    ignore,
    fn: async () => {
      const { exchange } = await hostExample(example!, { config });
      const call = exchange();
      call.responseHead(false, 200, [...lines, "content-length", "6"]);
      assert.equal(call.response!.fields.get("content-length"), "6");
      assert.equal(call.responseData("secret", true), "secret");
    },
  });
}

Deno.test({
  name: "response-rewrite takes a body of half a megabyte, and memory of one call is gone with it",
  ignore,
  fn: async () => {
    const { exchange, report } = await hostExample(example!, { config });
    const before = "x".repeat(500_000);
    for (let i = 0; i < 20; i++) {
      const call = exchange();
      call.responseHead(false, 200, ["content-type", "application/json"]);
      const after = call.responseData(`${before}secret`, true);
      assert.ok(after === before, `${after?.length} bytes, ${call.fault?.detail}`);
      call.end();
    }
    assert.equal(report().traps, 0);
  },
});

for (
  const [what, lines, why] of [
    ["a line without an arrow", "a -> b", /lacks " => "/],
    ["a line that replaces nothing", " => b", /replaces nothing/],
    ["too many lines", "a => b\n".repeat(17), /more than 16 lines/],
  ] as const
) {
  Deno.test({
    name: `response-rewrite refuses ${what}, and says why`,
    ignore,
    fn: async () => {
      await assert.rejects(hostExample(example!, { config: lines }), why);
    },
  });
}

Deno.test({
  name: "response-rewrite is small, and listed as what it is",
  ignore,
  fn: () => {
    const { listing, artefact } = example!;
    assert.equal(listing.language, "c");
    assert.ok(artefact.length < 10_000, `${artefact.length} bytes`);
    assert.equal(listing.measured.traps, 0);
    assert.deepEqual(listing.capabilities, [
      ...["headers-read", "headers-write", "body-read", "body-write"],
    ]);
  },
});
