/** Builds the example and runs it in the proxy's host. */
import assert from "node:assert/strict";
import { CONTINUE } from "../../../core/filter.ts";
import { admitExample, hostExample } from "../support.ts";

const example = admitExample("wat-security-headers");

Deno.test("security-headers sets its headers and removes those that tell too much", async () => {
  const { exchange } = await hostExample(await example);
  const call = exchange();
  const verdict = call.responseHead(true, 200, [
    ...["server", "app/1.2", "x-powered-by", "habit", "x-frame-options", "SAMEORIGIN"],
    ...["content-type", "text/plain"],
  ]);
  assert.equal(verdict, CONTINUE);
  const { fields } = call.response!;
  assert.equal(fields.get("x-content-type-options"), "nosniff");
  assert.deepEqual(fields.all("x-frame-options"), ["DENY"]);
  assert.equal(fields.get("referrer-policy"), "strict-origin-when-cross-origin");
  assert.equal(fields.has("server"), false);
  assert.equal(fields.has("x-powered-by"), false);
  assert.equal(fields.get("content-type"), "text/plain");
});

Deno.test("security-headers may change headers and nothing else", async () => {
  const { listing } = await example;
  assert.deepEqual(listing.capabilities, ["headers-write"]);
  assert.deepEqual(listing.hooks, ["response-headers"]);
  assert.equal(listing.language, "wat");
  assert.ok(listing.measured.fuelPerCall < 20_000, `${listing.measured.fuelPerCall} fuel a call`);
});

Deno.test("security-headers says its version, so that a replacement can be seen", async () => {
  const { exchange } = await hostExample(await admitExample("wat-security-headers", "2.0.0"));
  const call = exchange();
  call.responseHead(true);
  assert.equal(call.response!.fields.get("x-denim-filter"), "security-headers@2.0.0");
});
