/** SPIFFE ids: strict, so that two readers can never understand one differently. */
import assert from "node:assert/strict";
import {
  formatWorkloadId,
  isTrustDomain,
  MAX_ID_BYTES,
  MAX_TRUST_DOMAIN_BYTES,
  parseSpiffeId,
  parseWorkloadId,
} from "./spiffe.ts";

Deno.test("parseSpiffeId gives trust domain and path of a strict id", () => {
  assert.deepEqual(parseSpiffeId("spiffe://mesh.local/ns/default/sa/web"), {
    trustDomain: "mesh.local",
    path: "/ns/default/sa/web",
  });
});

Deno.test("parseSpiffeId refuses every other spelling", () => {
  const bad = [
    "",
    "spiffe://mesh.local",
    "spiffe://mesh.local/",
    "spiffe:///ns/a",
    "SPIFFE://mesh.local/a",
    "spiffe://Mesh.local/a",
    "spiffe://mesh.local/A",
    "spiffe://mesh.local//a",
    "spiffe://mesh.local/a/",
    "spiffe://mesh.local/a/./b",
    "spiffe://mesh.local/a/../b",
    "spiffe://../a",
    "spiffe://mesh.local:443/a",
    "spiffe://user@mesh.local/a",
    "spiffe://mesh.local/a?b",
    "spiffe://mesh.local/a#b",
    "spiffe://mesh.local/a%2fb",
    "spiffe://mesh.local/a,b",
    "spiffe://mesh.local/low, URI:spiffe://mesh.local/admin",
    "spiffe://mesh.local/admin\0.low",
    "spiffe://mesh.local/a b",
    "spiffe://mesh.local/a\n",
    "spiffe://mesh.local/ä",
    " spiffe://mesh.local/a",
    "https://mesh.local/a",
  ];
  for (const text of bad) assert.equal(parseSpiffeId(text), null, JSON.stringify(text));
});

Deno.test("parseSpiffeId holds ids to their limits", () => {
  const longest = "spiffe://d/".padEnd(MAX_ID_BYTES, "a");
  assert.notEqual(parseSpiffeId(longest), null);
  assert.equal(parseSpiffeId(longest + "a"), null);
  assert.equal(isTrustDomain("d".repeat(MAX_TRUST_DOMAIN_BYTES)), true);
  assert.equal(isTrustDomain("d".repeat(MAX_TRUST_DOMAIN_BYTES + 1)), false);
});

Deno.test("parseWorkloadId takes /ns/…/sa/… and nothing else", () => {
  const id = { trustDomain: "mesh.local", namespace: "shop", service: "web" };
  assert.deepEqual(parseWorkloadId("spiffe://mesh.local/ns/shop/sa/web"), id);
  assert.equal(formatWorkloadId(id), "spiffe://mesh.local/ns/shop/sa/web");
  for (const path of ["/ns/shop", "/ns/shop/sa/web/x", "/sa/shop/ns/web", "/ns/shop/sa"]) {
    assert.equal(parseWorkloadId(`spiffe://mesh.local${path}`), null, path);
  }
});

Deno.test("formatWorkloadId refuses parts that would make another id", () => {
  for (const service of ["a/sa/b", "", "..", "Web", "a%00"]) {
    assert.throws(
      () => formatWorkloadId({ trustDomain: "mesh.local", namespace: "default", service }),
      /must be made of/,
    );
  }
});
