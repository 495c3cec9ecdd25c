/** Reading X.509: what a certificate says, byte for byte, and what is refused unread. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { extension, namedBits, TestDomain } from "../../tests/support/ca.ts";
import {
  type Certificate,
  EKU,
  KEY_USAGE,
  MAX_CERTIFICATE_BYTES,
  MAX_NAMES,
  parseCertificate,
} from "./certificate.ts";
import { implicit, TAG } from "./der.ts";
import { bytesOf, element, sequence, unsigned } from "./der_writer.ts";

const NOW_MS = Date.UTC(2026, 10, 24, 3, 30);
const domain = new TestDomain("mesh.test", { nowMs: NOW_MS });

function parsed(der: Uint8Array): Certificate {
  const certificate = parseCertificate(der);
  if (typeof certificate === "string") assert.fail(certificate);
  return certificate;
}

Deno.test("parseCertificate reads every field of a leaf", () => {
  const { der, keys } = domain.issue("web", { dnsNames: ["web.test"] });
  const leaf = parsed(der);
  assert.deepEqual(leaf.uris, ["spiffe://mesh.test/ns/default/sa/web"]);
  assert.deepEqual(leaf.dnsNames, ["web.test"]);
  assert.deepEqual(leaf.extKeyUsage, [EKU.clientAuth, EKU.serverAuth]);
  assert.equal(leaf.keyUsage, KEY_USAGE.digitalSignature);
  assert.equal(leaf.isCa, false);
  assert.equal(leaf.notBeforeMs, NOW_MS - 3_600_000);
  assert.equal(leaf.notAfterMs, NOW_MS + 3_600_000);
  assert.deepEqual(
    leaf.spki,
    new Uint8Array(keys.publicKey.export({ format: "der", type: "spki" })),
  );
  assert.equal(leaf.unknownCritical, null);
});

Deno.test("parseCertificate agrees with the runtime on the serial and the names of CAs", () => {
  const { der } = domain.issue("web", { serial: Uint8Array.of(0, 0x80, 1) });
  assert.equal(parsed(der).serial, "8001");
  assert.equal(new X509Certificate(der).serialNumber, "8001");
  const ca = parsed(domain.intermediateDer);
  assert.equal(ca.isCa, true);
  assert.equal(ca.keyUsage, KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign);
  assert.deepEqual(ca.issuer, parsed(domain.root.der).subject);
});

Deno.test("parseCertificate keeps alternative names apart when one is made to look like two", () => {
  const comma = "spiffe://mesh.test/low, URI:spiffe://mesh.test/admin";
  assert.deepEqual(parsed(domain.issue("x", { uris: [comma] }).der).uris, [comma]);
  const nul = "spiffe://mesh.test/admin\0.low";
  assert.deepEqual(parsed(domain.issue("x", { uris: [nul] }).der).uris, [nul]);
  const dns = parsed(
    domain.issue("x", { uris: [], dnsNames: ["x, URI:spiffe://mesh.test/admin"] }).der,
  );
  assert.deepEqual(dns.uris, []);
});

Deno.test("parseCertificate names a critical extension it does not know, and name constraints always", () => {
  const unknown = extension("1.2.3.4", sequence(), true);
  assert.equal(parsed(domain.issue("x", { extra: [unknown] }).der).unknownCritical, "1.2.3.4");
  const harmless = extension("1.2.3.4", sequence());
  assert.equal(parsed(domain.issue("x", { extra: [harmless] }).der).unknownCritical, null);
  const constraints = extension("2.5.29.30", sequence());
  assert.equal(
    parsed(domain.issue("x", { extra: [constraints] }).der).unknownCritical,
    "2.5.29.30",
  );
});

Deno.test("parseCertificate refuses malformed certificates with what is wrong", () => {
  const { der } = domain.issue("web");
  const refused = (extra: Uint8Array): unknown =>
    parseCertificate(domain.issue("web", { extra: [extra] }).der);
  assert.equal(parseCertificate(Uint8Array.of(...der, 0)), "trailing bytes");
  assert.equal(parseCertificate(der.subarray(0, der.length - 1)), "an element runs past its end");
  assert.equal(parseCertificate(new Uint8Array(0)), "an element is missing");
  assert.match(String(parseCertificate(new Uint8Array(MAX_CERTIFICATE_BYTES + 1))), /larger than/);
  assert.match(String(refused(extension("2.5.29.19", sequence()))), /2\.5\.29\.19 stands twice/);
  assert.match(
    String(refused(extension("2.5.29.17", sequence(element(implicit(6), bytesOf("x")))))),
    /2\.5\.29\.17 stands twice/,
  );
  assert.equal(
    parseCertificate(domain.issue("web", { isCa: false, pathLength: 0 }).der),
    "a path length without a CA",
  );
  assert.equal(
    parseCertificate(domain.issue("web", { keyUsage: [0, 0x80] }).der),
    "bad named bits",
  );
  assert.equal(
    parseCertificate(domain.issue("web", { extKeyUsage: [] }).der),
    "bad extended key usage",
  );
});

Deno.test("parseCertificate refuses more names and extensions than the limits", () => {
  const many = (n: number): string[] => Array.from({ length: n }, (_, i) => `n${i}`);
  assert.equal(
    parsed(domain.issue("x", { uris: [], dnsNames: many(MAX_NAMES) }).der).uris.length,
    0,
  );
  const names = domain.issue("x", { uris: [], dnsNames: many(MAX_NAMES + 1) });
  assert.equal(parseCertificate(names.der), "too many alternative names");
  const extra = many(40).map((_, i) => extension(`1.2.3.${i}`, sequence()));
  assert.equal(parseCertificate(domain.issue("x", { extra }).der), "too many extensions");
});

Deno.test("parseCertificate survives every one-byte change and every cut of a certificate", () => {
  const { der } = domain.issue("web");
  for (let i = 0; i < der.length; i++) {
    for (const value of [0, 0x7f, 0x80, 0xff, der[i]! ^ 1]) {
      const changed = der.slice();
      changed[i] = value;
      parseCertificate(changed); // must not throw or hang
    }
    assert.equal(typeof parseCertificate(der.subarray(0, i)), "string");
  }
});

Deno.test("parseCertificate refuses explicit defaults and a serial that is not positive", () => {
  const falseFlag = element(TAG.boolean, Uint8Array.of(0));
  const extra = sequence(
    element(TAG.oid, Uint8Array.of(0x2a, 3)),
    falseFlag,
    element(TAG.octetString, namedBits([7, 0x80])),
  );
  assert.equal(
    parseCertificate(domain.issue("x", { extra: [extra] }).der),
    "a default value is written out",
  );
  assert.equal(
    parseCertificate(domain.issue("x", { serial: new Uint8Array(0) }).der),
    "bad serial number",
  );
  assert.equal(
    parseCertificate(domain.issue("x", { serial: new Uint8Array(21).fill(1) }).der),
    "bad serial number",
  );
  assert.deepEqual(unsigned(Uint8Array.of(0)), Uint8Array.of(2, 1, 0));
});
