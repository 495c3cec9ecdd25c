/** Builds the example with its published SDK and runs it in the proxy's host. */
import assert from "node:assert/strict";
import { admitExample, hostExample } from "../support.ts";

const example = admitExample("as-visitor-groups");

Deno.test("visitor-groups tells the application the group and remembers it in a cookie", async () => {
  const { exchange } = await hostExample(await example, { config: '{"percent": 100}' });
  const visit = exchange("x-visitor-group", "a");
  visit.requestHead();
  assert.deepEqual(visit.request.fields.all("x-visitor-group"), ["b"]);
  visit.responseHead(true);
  assert.equal(visit.response!.fields.get("x-visitor-group"), "b");
  assert.match(visit.response!.fields.get("set-cookie")!, /^visitor-group=b; Path=\//);
  visit.end();
});

Deno.test("visitor-groups keeps a visitor in the group of the cookie", async () => {
  const { exchange } = await hostExample(await example, { config: '{"percent": 100}' });
  const visit = exchange("cookie", "theme=dark; visitor-group=a");
  visit.requestHead();
  visit.responseHead(true);
  assert.equal(visit.request.fields.get("x-visitor-group"), "a");
  assert.equal(visit.response!.fields.has("set-cookie"), false);
});

Deno.test("visitor-groups splits visitors about as its percentage says", async () => {
  const { exchange } = await hostExample(await example, { config: '{"percent": 20}' });
  let inB = 0;
  for (let i = 0; i < 500; i++) {
    const visit = exchange("x-request-id", `visitor-${i}-${i * 7919}`);
    visit.requestHead();
    if (visit.request.fields.get("x-visitor-group") === "b") inB++;
    visit.end();
  }
  assert.ok(inB > 60 && inB < 140, `${inB} of 500 are in group b; wanted about 100`);
});

Deno.test("visitor-groups refuses a percentage over 100", async () => {
  await assert.rejects(
    hostExample(await example, { config: '{"percent": 200}' }),
    /did not start: the module refused its configuration/,
  );
});

Deno.test("visitor-groups is listed as what it is", async () => {
  const { listing } = await example;
  assert.equal(listing.language, "assemblyscript");
  assert.equal(listing.abiVersion, "proxy-wasm 0.2.1");
  assert.equal(listing.capabilities.includes("http-call"), false);
  assert.equal(listing.measured.traps, 0);
});

Deno.test("visitor-groups says its version, so that a replacement can be seen", async () => {
  const { exchange } = await hostExample(await admitExample("as-visitor-groups", "2.0.0"));
  const visit = exchange();
  visit.requestHead();
  visit.responseHead(true);
  assert.equal(visit.response!.fields.get("x-denim-filter"), "visitor-groups@2.0.0");
});
