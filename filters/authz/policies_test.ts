import assert from "node:assert/strict";
import { parseAuthzConfig } from "./config.ts";
import { factsOf, PEER_LIMIT, Policies, VIEW_LIMIT } from "./policies.ts";
import { contextOf, is, wire, type WirePolicy } from "./rig.ts";

function compiled(policies: WirePolicy[]) {
  const config = parseAuthzConfig(wire(policies));
  return new Policies(config.policies, config, true);
}

const idOf = (n: number): string => `spiffe://mesh.local/ns/n${n}/sa/s`;

Deno.test("Policies keeps no more identities and indexes than its limits, and forgets no answer", () => {
  const many = 2 * Math.max(VIEW_LIMIT, 300);
  const policies = compiled(
    Array.from({ length: many }, (_, n) => ({ rules: [{ from: [[is("identity", idOf(n))]] }] })),
  );
  const ctx = contextOf({});
  const facts = factsOf(ctx, ctx.request);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < many; n++) {
      assert.equal(policies.find(idOf(n), facts)?.name, `default/p${n}`);
      assert.ok(policies.sizes.views <= VIEW_LIMIT);
    }
  }
  assert.equal(policies.sizes.views, VIEW_LIMIT);
  const few = compiled([{ rules: [{ from: [[is("identity", "*")]] }] }]);
  for (let n = 0; n < PEER_LIMIT + 10; n++) assert.ok(few.find(idOf(n), facts) !== null);
  assert.deepEqual(few.sizes, { peers: PEER_LIMIT, views: 1 });
});

Deno.test("Policies that match are each given once", () => {
  const policies = compiled([
    { rules: [{ to: [[is("path", "/a", "/a/*")]] }, { to: [[is("path", "/a*")]] }] },
    { rules: [{ to: [[is("host", "catalog")]] }, {}] },
    { rules: [{ to: [[is("path", "/b")]] }] },
  ]);
  const ctx = contextOf({ path: "/a/b" });
  const facts = factsOf(ctx, ctx.request);
  assert.deepEqual(policies.all("", facts).map((one) => one.name), ["default/p1", "default/p0"]);
});
