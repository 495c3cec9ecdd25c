import assert from "node:assert/strict";
import { claimAt, principalOf } from "./claims.ts";

Deno.test("claimAt follows a path of members and finds nothing that is inherited", () => {
  const values = { realm: { roles: ["a"] }, "a.b": 1, list: [{ x: 1 }] };
  assert.deepEqual(claimAt(values, ["realm", "roles"]), ["a"]);
  assert.equal(claimAt(values, ["a.b"]), 1);
  assert.equal(claimAt(values, ["a", "b"]), undefined);
  assert.equal(claimAt(values, ["realm", "constructor"]), undefined);
  assert.equal(claimAt(values, ["__proto__"]), undefined);
  assert.equal(claimAt(values, ["a.b", "toFixed"]), undefined);
  assert.equal(claimAt(values, []), values);
});

Deno.test("principalOf is issuer and subject, and nobody when one of them is missing", () => {
  assert.equal(principalOf({ iss: "https://id.example", sub: "ann" }), "https://id.example/ann");
  for (
    const values of [{}, { iss: "a" }, { sub: "b" }, { iss: "", sub: "b" }, { iss: 1, sub: 2 }]
  ) {
    assert.equal(principalOf(values), "");
  }
});
