import assert from "node:assert/strict";
import { parseDocuments } from "./parse.ts";

/** Paths and messages of what is wrong with a policy that has this load balancer. */
function errors(loadBalancer: string): string[] {
  const text = `apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: {name: p}
spec:
  targetRefs: [{kind: Service, name: shop}]
  loadBalancer: ${loadBalancer}
`;
  return parseDocuments(text).errors.map((error) => `${error.path}: ${error.message}`);
}

Deno.test("TrafficPolicy wants a header for ring_hash and takes one", () => {
  assert.deepEqual(errors("{algorithm: ring_hash, hashHeader: X-User}"), []);
  const [only, ...more] = errors("{algorithm: ring_hash}");
  assert.deepEqual(more, []);
  assert.match(only!, /loadBalancer\.hashHeader: .*missing; ring_hash chooses by/);
});

Deno.test("TrafficPolicy refuses a hash header for an algorithm that does not hash", () => {
  assert.deepEqual(errors("{algorithm: p2c}"), []);
  assert.match(errors("{algorithm: p2c, hashHeader: X-User}").join(), /is only for ring_hash/);
});
