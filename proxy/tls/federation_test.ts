/** Two trust domains that believe each other: whose root vouches for which name. */
import assert from "node:assert/strict";
import { TestDomain } from "../../tests/support/ca.ts";
import { MeshIdentity } from "./context.ts";
import { MAX_FEDERATED_DOMAINS } from "./federation.ts";

const a = new TestDomain("a.test"), b = new TestDomain("b.test"), c = new TestDomain("c.test");

function identity(): MeshIdentity {
  const one = new MeshIdentity(a.material("web"));
  one.federate([{ domain: "b.test", bundle: [b.rootPem] }]);
  return one;
}

const refusal = (web: MeshIdentity, chain: readonly Uint8Array[]): string => {
  const verdict = web.verify(chain, "client");
  return verdict.ok ? `let in as ${verdict.identity}` : verdict.reason;
};

Deno.test("MeshIdentity lets in peers of a federated domain, and of no other", () => {
  const web = identity();
  assert.equal(refusal(web, b.issue("api").chainDer), `let in as ${b.id("api")}`);
  assert.equal(refusal(web, a.issue("api").chainDer), `let in as ${a.id("api")}`);
  assert.equal(refusal(web, c.issue("api").chainDer), "unknown_authority");
});

Deno.test("A root of one domain never vouches for a name of another", () => {
  const web = identity();
  // B signs a name of A, A one of B, and C both.
  for (const [signer, name] of [[b, a], [a, b], [c, a], [c, b]] as const) {
    const forged = signer.issue("admin", { uris: [name.id("admin")] });
    assert.equal(
      refusal(web, forged.chainDer),
      "unknown_authority",
      `${signer.domain} as ${name.domain}`,
    );
    // Not even when the other's certificates are sent along.
    const padded = [...forged.chainDer, name.intermediateDer, name.root.der];
    assert.equal(refusal(web, padded), "unknown_authority");
  }
  const two = b.issue("admin", { uris: [b.id("admin"), a.id("admin")] });
  assert.equal(refusal(web, two.chainDer), "san_count");
});

Deno.test("MeshIdentity drops a federated domain at once, and keeps the others' memory", () => {
  const web = identity();
  const peer = b.issue("api").chainDer;
  assert.equal(web.verify(peer, "client").ok, true);
  const { generation } = web;
  web.federate([{ domain: "b.test", bundle: [b.rootPem] }]);
  assert.equal(web.generation, generation, "the same list changes nothing");
  web.federate([]);
  assert.ok(web.generation > generation);
  assert.equal(refusal(web, peer), "unknown_authority");
});

Deno.test("MeshIdentity refuses a second bundle for its own domain, and too many", () => {
  const web = identity();
  assert.throws(() => web.federate([{ domain: "a.test", bundle: [b.rootPem] }]), /already/);
  assert.throws(() => web.federate([{ domain: "b.test", bundle: ["no"] }]), /PEM/);
  const many = Array.from({ length: MAX_FEDERATED_DOMAINS + 1 }, (_, n) => ({
    domain: `d${n}.test`,
    bundle: [b.rootPem],
  }));
  assert.throws(() => web.federate(many), /at most 16/);
  assert.equal(refusal(web, b.issue("api").chainDer), `let in as ${b.id("api")}`);
});
