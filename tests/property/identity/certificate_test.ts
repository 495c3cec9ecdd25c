/** Properties of the certificate reader over mutated certificates; `SEED=… deno test` replays a run. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { parseCertificate } from "../../../proxy/tls/certificate.ts";
import { readTrustBundle, verifyPeer } from "../../../proxy/tls/mod.ts";
import { parseSpiffeId } from "../../../proxy/tls/spiffe.ts";
import { extension, TestDomain } from "../../support/ca.ts";

const seed = Number(Deno.env.get("SEED") ?? Date.now() % 2 ** 31);
const domain = new TestDomain();
const { der, chainDer } = domain.issue("web", { dnsNames: ["web.test"] });

/** A few changes of a certificate: octets replaced, cut out, doubled. */
const mutant = fc.array(
  fc.record({
    at: fc.nat(der.length - 1),
    octet: fc.nat(255),
    kind: fc.constantFrom("replace", "remove", "insert", "flip"),
  }),
  { minLength: 1, maxLength: 4 },
).map((changes) => {
  const octets = [...der];
  for (const { at, octet, kind } of changes) {
    if (kind === "replace") octets[at] = octet;
    else if (kind === "flip") octets[at] = (octets[at] ?? 0) ^ (1 << (octet & 7));
    else octets.splice(at, kind === "remove" ? 1 : 0, ...(kind === "insert" ? [octet] : []));
  }
  return Uint8Array.from(octets);
});

Deno.test("What our certificate reader takes, the runtime's takes too and reads the same", () => {
  let taken = 0;
  fc.assert(
    fc.property(mutant, (bytes) => {
      const ours = parseCertificate(bytes);
      if (typeof ours === "string") return;
      taken++;
      const theirs = new X509Certificate(bytes);
      assert.equal(BigInt(`0x${ours.serial}`), BigInt(`0x${theirs.serialNumber}`));
      assert.equal(ours.notAfterMs, Date.parse(theirs.validTo));
      assert.equal(ours.isCa, theirs.ca);
    }),
    { seed, numRuns: 3000 },
  );
  assert.ok(taken > 0, "no mutant was taken: the property showed nothing");
});

Deno.test("No mutant of a certificate is vouched for", () => {
  const bundle = readTrustBundle(domain.domain, [domain.rootPem]);
  fc.assert(
    fc.property(mutant, (bytes) => {
      if (bytes.length === der.length && bytes.every((octet, i) => octet === der[i])) return;
      const verdict = verifyPeer([bytes, ...chainDer.slice(1)], bundle, {
        nowMs: Date.now(),
        role: "client",
      });
      assert.equal(verdict.ok, false);
    }),
    { seed, numRuns: 300 },
  );
});

Deno.test("Whatever a URI entry holds, it is read back byte for byte, and only strict ids are ids", () => {
  const byteString = fc.array(fc.nat(255), { maxLength: 60 })
    .map((octets) => String.fromCharCode(...octets));
  const near = fc.tuple(fc.constantFrom("spiffe://mesh.test/", "spiffe://", ""), byteString)
    .map(([head, tail]) => head + tail);
  fc.assert(
    fc.property(near, (uri) => {
      const certificate = parseCertificate(domain.issue("x", { uris: [uri] }).der);
      if (typeof certificate === "string") assert.fail(certificate);
      assert.deepEqual(certificate.uris, [uri]);
      if (parseSpiffeId(uri) !== null) {
        assert.match(uri, /^spiffe:\/\/[a-z0-9._-]+(\/[a-z0-9._-]+)+$/);
      }
    }),
    { seed, numRuns: 100 },
  );
});

Deno.test("Whatever an extension holds, reading it ends and throws nothing", () => {
  const ids = ["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37", "2.5.29.14", "2.5.29.35"];
  fc.assert(
    fc.property(
      fc.constantFrom(...ids),
      fc.uint8Array({ maxLength: 80 }),
      fc.boolean(),
      (id, value, critical) => {
        const options = { keyUsage: null, extKeyUsage: null, uris: [] };
        const extra = [extension(id, value, critical)];
        parseCertificate(domain.issue("x", { ...options, extra }).der);
      },
    ),
    { seed, numRuns: 200 },
  );
});
