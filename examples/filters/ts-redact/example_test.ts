/** Tests the example's hooks as plain TypeScript, then the built filter in the proxy's host. */
import assert from "node:assert/strict";
import { COLLECT, CONTINUE } from "../../../core/filter.ts";
import { serve } from "../../../wasm/sdk/guest.ts";
import { admitExample, hostExample } from "../support.ts";
import redact from "./filter.ts";

const example = admitExample("ts-redact");
const JSON_TYPE = ["content-type", "application/json"];

Deno.test("redact, as plain TypeScript, masks fields and addresses at any depth", () => {
  const guest = serve(redact);
  guest.configure('{"fields": ["phone"], "mask": "-"}');
  guest.onResponseHeaders(
    1,
    { status: 200, headers: [["content-type", "application/json"]] },
    false,
  );
  const body = { people: [{ phone: "1", note: "write to a.b@example.com or c@example.org" }] };
  const verdict = guest.onResponseBody(1, new TextEncoder().encode(JSON.stringify(body)), true);
  assert.equal(verdict.tag, "continue");
  assert.deepEqual(verdict.tag === "continue" && verdict.val.body, {
    tag: "text",
    val: '{"people":[{"phone":"-","note":"write to - or -"}]}',
  });
});

Deno.test("redact replaces a body that comes in pieces and corrects its length", async () => {
  const { exchange } = await hostExample(await example);
  const call = exchange("accept-encoding", "gzip");
  assert.equal(call.requestHead(), CONTINUE);
  assert.equal(call.request.fields.has("accept-encoding"), false);
  assert.equal(call.responseHead(false, 200, [...JSON_TYPE, "content-length", "27"]), COLLECT);
  assert.equal(call.responseData('{"email":"a@b', false), "");
  assert.equal(call.responseData('.org","n":1}', true), '{"email":"***","n":1}');
  const { fields } = call.response!;
  assert.equal(fields.get("content-length"), "21");
  assert.equal(fields.get("x-redacted"), "1");
  assert.equal(fields.get("x-denim-filter"), "redact@1.0.0");
  call.end();
});

Deno.test("redact leaves alone what is no JSON or has nothing to hide", async () => {
  const { exchange } = await hostExample(await example);
  for (
    const [type, text] of [["text/plain", "a@b.org"], ["application/json", '{"n":1}']] as const
  ) {
    const call = exchange();
    call.requestHead();
    call.responseHead(false, 200, ["content-type", type]);
    assert.equal(call.responseData(text, true), text);
    assert.equal(call.response!.fields.has("x-redacted"), false);
  }
});

Deno.test("redact refuses a configuration of the wrong type, with its path", async () => {
  await assert.rejects(
    hostExample(await example, { config: '{"mask": 3}' }),
    /config\.mask is 3; wanted text/,
  );
  await assert.rejects(
    hostExample(await example, { config: '{"masc": "x"}' }),
    /config\.masc is not known; it may have fields, emails, mask/,
  );
});

Deno.test("redact is listed with the hooks and capabilities it really has", async () => {
  const { listing } = await example;
  assert.equal(listing.abi, "component");
  assert.equal(listing.language, "typescript");
  assert.deepEqual(listing.hooks, ["request-headers", "response-headers", "response-body"]);
  assert.ok(listing.capabilities.includes("metrics"));
  assert.equal(listing.capabilities.includes("shared-data"), false, "it imports no kv");
});

Deno.test("redact says its version, so that a replacement can be seen", async () => {
  const { exchange } = await hostExample(await admitExample("ts-redact", "2.0.0"));
  const call = exchange();
  call.requestHead();
  call.responseHead(true, 204);
  assert.equal(call.response!.fields.get("x-denim-filter"), "redact@2.0.0");
});
