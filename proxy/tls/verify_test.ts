/** Verification: each rule has a certificate that breaks just that one. */
import assert from "node:assert/strict";
import { CERT_SIGN, extension, type LeafOptions, TestDomain } from "../../tests/support/ca.ts";
import { MAX_BUNDLE_CERTIFICATES, readTrustBundle, type TrustBundle } from "./bundle.ts";
import { EKU, nameOfKey, parseCertificate } from "./certificate.ts";
import { sequence } from "./der_writer.ts";
import { encodePem } from "./pem.ts";
import { BoundedSet, PeerCache } from "./peer_cache.ts";
import type { RefusalReason } from "./refusal.ts";
import { MAX_REVOCATIONS, readRevocations, type RevocationLists } from "./revocations.ts";
import {
  DEFAULT_SKEW_MS,
  MAX_PEER_CERTIFICATES,
  MAX_SIGNATURE_CHECKS,
  type PeerVerdict,
  type VerifyOptions,
  verifyPeer,
} from "./verify.ts";

const NOW_MS = Date.UTC(2026, 10, 24, 3, 30);
const HOUR_MS = 3_600_000;
const domain = new TestDomain("mesh.test", { nowMs: NOW_MS });
const stranger = new TestDomain("mesh.test", { nowMs: NOW_MS });
const WEB = domain.id("web");

const trust = (...pem: string[]): TrustBundle => readTrustBundle("mesh.test", pem);

function judge(
  chain: readonly Uint8Array[],
  options: Partial<VerifyOptions> = {},
  bundle: TrustBundle = trust(domain.rootPem),
): PeerVerdict {
  return verifyPeer(chain, bundle, { nowMs: NOW_MS, role: "client", ...options });
}

function assertRefused(verdict: PeerVerdict, reason: RefusalReason, about = ""): void {
  assert.equal(verdict.ok ? `accepted ${verdict.identity}` : verdict.reason, reason, about);
}

Deno.test("verifyPeer accepts a good leaf in both roles and says who it is", () => {
  const { chainDer } = domain.issue("web");
  for (const role of ["client", "server"] as const) {
    const verdict = judge(chainDer, { role, expectedIdentity: WEB });
    assert.ok(verdict.ok);
    assert.equal(verdict.identity, WEB);
    assert.match(verdict.serial, /^[0-9A-F]{32}$/);
    assert.equal(verdict.notAfterMs, NOW_MS + HOUR_MS);
  }
});

Deno.test("verifyPeer takes the intermediate from the bundle when the peer sent its leaf only", () => {
  const { der } = domain.issue("web");
  assertRefused(judge([der]), "unknown_authority");
  assert.ok(judge([der], {}, trust(domain.rootPem, domain.intermediatePem)).ok);
});

Deno.test("verifyPeer finds the path whatever the order and company of the intermediates", () => {
  const { der, chainDer } = domain.issue("web");
  const other = stranger.intermediateDer; // same name, another key
  assert.ok(judge([der, other, domain.root.der, ...chainDer.slice(1)]).ok);
  assert.ok(judge(chainDer, {}, trust(stranger.rootPem, domain.rootPem)).ok);
});

Deno.test("verifyPeer refuses a leaf whose form breaks one rule of SVIDs", () => {
  const spiffe = "spiffe://mesh.test/ns/default/sa/";
  const cases: readonly [RefusalReason, LeafOptions][] = [
    ["leaf_is_ca", { isCa: true }],
    ["leaf_is_ca", { isCa: true, keyUsage: CERT_SIGN }],
    ["key_usage", { keyUsage: null }],
    ["key_usage", { keyUsage: CERT_SIGN }],
    ["key_usage", { keyUsage: [2, 0x84] }], // digitalSignature and keyCertSign
    ["extended_key_usage", { extKeyUsage: null }],
    ["extended_key_usage", { extKeyUsage: [EKU.serverAuth] }],
    ["extended_key_usage", { extKeyUsage: ["2.5.29.37.0"] }], // any purpose is not this purpose
    ["san_count", { uris: [] }],
    ["san_count", { uris: [], dnsNames: [`x, URI:${spiffe}admin`] }],
    ["san_count", { uris: [`${spiffe}low`, `${spiffe}admin`] }],
    ["bad_spiffe_id", { uris: [`${spiffe}low, URI:${spiffe}admin`] }],
    ["bad_spiffe_id", { uris: [`${spiffe}admin\0.low`] }],
    ["bad_spiffe_id", { uris: [`${spiffe}Admin`] }],
    ["bad_spiffe_id", { uris: [`${spiffe}%61dmin`] }],
    ["bad_spiffe_id", { uris: ["spiffe://mesh.test//admin"] }],
    ["bad_spiffe_id", { uris: ["https://mesh.test/web"] }],
    ["wrong_trust_domain", { uris: ["spiffe://other.test/ns/default/sa/web"] }],
    ["wrong_trust_domain", { uris: ["spiffe://mesh.test.evil/ns/default/sa/web"] }],
    ["malformed", { keyUsage: [0, 0x80] }],
  ];
  for (const [reason, options] of cases) {
    assertRefused(judge(domain.issue("web", options).chainDer), reason, JSON.stringify(options));
  }
});

Deno.test("verifyPeer wants the extended key usage of the role the peer plays", () => {
  const serverOnly = domain.issue("web", { extKeyUsage: [EKU.serverAuth] }).chainDer;
  assert.ok(judge(serverOnly, { role: "server" }).ok);
  assertRefused(judge(serverOnly, { role: "client" }), "extended_key_usage");
  const bundle = trust(domain.rootPem);
  assert.ok(judge(serverOnly, { role: "server" }, bundle).ok);
  assertRefused(judge(serverOnly, { role: "client" }, bundle), "extended_key_usage", "cached");
});

Deno.test("verifyPeer refuses strangers, even those whose authority bears our names", () => {
  const { chainDer, der } = stranger.issue("web");
  // Same subject names; the key ids are absent in test CAs, so the signature itself must decide.
  assertRefused(judge(chainDer), "bad_signature");
  assertRefused(judge([der, domain.intermediateDer]), "bad_signature");
  const elsewhere = new TestDomain("mesh.test", { nowMs: NOW_MS, name: "Other" });
  assertRefused(judge(elsewhere.issue("web").chainDer), "unknown_authority");
  // A self-signed root in the chain proves nothing.
  assertRefused(
    judge([...elsewhere.issue("web").chainDer, elsewhere.root.der]),
    "unknown_authority",
  );
});

Deno.test("verifyPeer refuses a leaf that another leaf signed, and one below too many authorities", () => {
  const web = domain.issue("web");
  const leafAsSigner = { name: domain.root.name, keys: web.keys, der: web.der };
  assertRefused(judge(domain.issue("admin", {}, leafAsSigner).chainDer), "bad_signature");
  const notSigning = domain.authority(domain.root, { keyUsage: [7, 0x80] });
  assertRefused(judge(domain.issue("web", {}, notSigning).chainDer), "unknown_authority");
  // The root allows one CA below itself, so the second one is one too many.
  const middle = domain.authority();
  const tooDeep = domain.authority(middle);
  assert.ok(judge(domain.issue("web", {}, middle).chainDer).ok);
  const leaf = domain.issue("web", {}, tooDeep);
  assertRefused(judge([leaf.der, tooDeep.der, middle.der]), "unknown_authority");
});

Deno.test("verifyPeer holds every certificate of the path to the clock", () => {
  const { chainDer } = domain.issue("web");
  assert.ok(judge(chainDer, { nowMs: NOW_MS + HOUR_MS }).ok);
  assertRefused(judge(chainDer, { nowMs: NOW_MS + HOUR_MS + 1 }), "expired");
  const ahead = NOW_MS - HOUR_MS - DEFAULT_SKEW_MS;
  assert.ok(judge(chainDer, { nowMs: ahead }).ok);
  assertRefused(judge(chainDer, { nowMs: ahead - 1 }), "not_yet_valid");
  assertRefused(judge(chainDer, { nowMs: NOW_MS - HOUR_MS - 1, skewMs: 0 }), "not_yet_valid");
  const old = domain.authority(domain.root, { notAfterMs: NOW_MS - 1000 });
  assertRefused(judge(domain.issue("web", {}, old).chainDer), "expired");
  const cached = trust(domain.rootPem);
  assert.ok(judge(chainDer, {}, cached).ok);
  assertRefused(judge(chainDer, { nowMs: NOW_MS + HOUR_MS + 1 }, cached), "expired", "cached");
  assertRefused(judge(chainDer, { nowMs: ahead - 1 }, cached), "not_yet_valid", "cached");
});

Deno.test("verifyPeer refuses a good leaf below a root that has expired", () => {
  const past = new TestDomain("mesh.test", { nowMs: NOW_MS - 2 * HOUR_MS });
  const later = { notAfterMs: NOW_MS + HOUR_MS };
  const intermediate = past.authority(past.root, later);
  const { chainDer } = past.issue("web", later, intermediate);
  assertRefused(judge(chainDer, {}, trust(past.rootPem)), "expired");
  const renewed = encodePem(past.renew(past.root, later).der, "CERTIFICATE");
  assert.ok(judge(chainDer, {}, trust(past.rootPem, renewed)).ok);
});

Deno.test("verifyPeer takes the renewed certificate of an authority whose old one has expired", () => {
  const old = domain.authority(domain.root, { notAfterMs: NOW_MS - 1000 });
  const { der } = domain.issue("web", {}, old);
  const fresh = domain.renew(old);
  assertRefused(judge([der, old.der]), "expired");
  assert.ok(judge([der, old.der, fresh.der]).ok);
  const pem = (signer: { der: Uint8Array }): string => encodePem(signer.der, "CERTIFICATE");
  assert.ok(judge([der], {}, trust(domain.rootPem, pem(old), pem(fresh))).ok);
});

Deno.test("verifyPeer does not take an intermediate of the bundle for a root", () => {
  const { der } = domain.issue("web");
  const rootless = trust(stranger.rootPem, domain.intermediatePem);
  assertRefused(judge([der], {}, rootless), "bad_signature");
});

Deno.test("verifyPeer lets an authority narrow what its leafs are for", () => {
  const servers = domain.authority(domain.root, { extKeyUsage: [EKU.serverAuth] });
  const { chainDer } = domain.issue("web", {}, servers);
  assert.ok(judge(chainDer, { role: "server" }).ok);
  assertRefused(judge(chainDer, { role: "client" }), "extended_key_usage");
});

Deno.test("verifyPeer relies on no certificate with a constraint it does not know", () => {
  const extra = [extension("2.5.29.30", sequence())];
  assertRefused(judge(domain.issue("web", { extra }).chainDer), "unsupported");
  const constrained = domain.authority(domain.root, { extra });
  assertRefused(judge(domain.issue("web", {}, constrained).chainDer), "unknown_authority");
});

Deno.test("verifyPeer compares the expected identity exactly, alone or in a list", () => {
  const { chainDer } = domain.issue("web");
  assertRefused(judge(chainDer, { expectedIdentity: domain.id("we") }), "wrong_identity");
  assertRefused(judge(chainDer, { expectedIdentity: WEB + "x" }), "wrong_identity");
  assertRefused(judge(chainDer, { expectedIdentity: [] }), "wrong_identity");
  assert.ok(judge(chainDer, { expectedIdentity: [domain.id("a"), WEB] }).ok);
});

Deno.test("verifyPeer refuses what was revoked by serial, by authority or by identity", () => {
  const { chainDer } = domain.issue("web");
  const bundle = trust(domain.rootPem);
  const first = judge(chainDer, {}, bundle);
  assert.ok(first.ok);
  const by = (lists: RevocationLists): PeerVerdict =>
    judge(chainDer, { revoked: readRevocations(lists) }, bundle);
  const [leaf, intermediate] = chainDer.map((der) => parseCertificate(der));
  if (typeof leaf !== "object" || typeof intermediate !== "object") assert.fail("unreadable");
  assert.ok(by({ serials: ["00"], keys: [`sha256:${"0".repeat(64)}`] }).ok);
  assertRefused(by({ serials: [first.serial] }), "revoked");
  assertRefused(by({ identities: [WEB] }), "revoked");
  assertRefused(by({ keys: [nameOfKey(leaf.spki)] }), "revoked");
  assertRefused(by({ serials: [intermediate.serial] }), "revoked_authority");
  assertRefused(by({ keys: [nameOfKey(intermediate.spki)] }), "revoked_authority");
});

Deno.test("verifyPeer knows an authority's revoked key under every certificate it has", () => {
  const signer = domain.authority();
  const again = domain.renew(signer);
  const { der } = domain.issue("web", {}, signer);
  const [known] = [parseCertificate(signer.der)];
  if (typeof known === "string" || known === undefined) assert.fail("unreadable");
  const revoked = readRevocations({ keys: [nameOfKey(known.spki)] });
  assertRefused(judge([der, again.der], { revoked }), "revoked_authority");
});

Deno.test("readRevocations refuses a list that is longer than its limit", () => {
  const serials = Array.from({ length: MAX_REVOCATIONS + 1 }, (_, at) => at.toString(16));
  assert.equal(readRevocations({ serials: serials.slice(1) }).serials.size, MAX_REVOCATIONS);
  assert.throws(() => readRevocations({ serials }), /at most 4096 are allowed/);
});

Deno.test("verifyPeer refuses no certificate, too many and garbage", () => {
  const { der, chainDer } = domain.issue("web");
  assertRefused(judge([]), "no_certificate");
  assertRefused(judge(new Array(MAX_PEER_CERTIFICATES + 1).fill(der)), "too_many_certificates");
  assertRefused(judge([Uint8Array.of(1, 2, 3)]), "malformed");
  assertRefused(judge([der, Uint8Array.of(0x30, 0)]), "malformed");
  for (let at = 0; at < der.length; at += 7) {
    const changed = der.slice();
    changed[at]! ^= 0x10;
    assert.equal(judge([changed, ...chainDer.slice(1)]).ok, false, `octet ${at}`);
  }
});

Deno.test("verifyPeer forgets what a bundle vouched for when the bundle is replaced", () => {
  const { chainDer } = domain.issue("web");
  const old = trust(domain.rootPem);
  assert.ok(judge(chainDer, {}, old).ok);
  assert.equal(old.cache.size, 1);
  assertRefused(judge(chainDer, {}, trust(stranger.rootPem)), "bad_signature");
});

Deno.test("verifyPeer keeps one copy of a peer's certificates for all its connections", () => {
  const bundle = trust(domain.rootPem);
  const { chainDer } = domain.issue("web");
  const again = (): PeerVerdict => judge(chainDer.map((der) => der.slice()), {}, bundle);
  const [first, second] = [again(), again()];
  assert.ok(first.ok && second.ok);
  assert.equal(first.chain, second.chain);
});

Deno.test("verifyPeer does not remember peers it refused", () => {
  const bundle = trust(domain.rootPem);
  judge(stranger.issue("web").chainDer, {}, bundle);
  judge(domain.issue("web").chainDer, { expectedIdentity: "other" }, bundle);
  assert.equal(bundle.cache.size, 0);
});

Deno.test("PeerCache drops the stalest peer when it is full", () => {
  const cache = new PeerCache(2);
  const peer = (identity: string) => ({
    identity,
    serial: "",
    chain: [],
    notBeforeMs: 0,
    notAfterMs: 0,
    purposes: [],
    serials: [],
    keys: [],
  });
  cache.set("a", peer("a"));
  cache.set("b", peer("b"));
  cache.get("a");
  cache.set("c", peer("c"));
  assert.equal(cache.size, 2);
  assert.equal(cache.get("b"), undefined);
  assert.equal(cache.get("a")?.identity, "a");
});

Deno.test("verifyPeer checks an intermediate's signature once, and so many of them are remembered", () => {
  const bundle = trust(domain.rootPem);
  assert.ok(judge(domain.issue("web").chainDer, {}, bundle).ok);
  assert.ok(judge(domain.issue("catalog").chainDer, {}, bundle).ok);
  assert.equal(bundle.authorities.size, 1);
  // What is remembered is the signature alone: the same intermediate is refused when out of date.
  const late = { nowMs: NOW_MS + HOUR_MS + 1 };
  const fresh = domain.issue("web", { notAfterMs: NOW_MS + 2 * HOUR_MS });
  assertRefused(judge(fresh.chainDer, late, bundle), "expired");
  const set = new BoundedSet(2);
  for (const member of ["a", "b", "c"]) set.add(member);
  assert.deepEqual([set.size, set.has("a"), set.has("c")], [2, false, true]);
});

Deno.test("verifyPeer gives up after so many signatures when a chain is crafted to be searched long", () => {
  // Each rival bears the names of the real intermediate and costs one check against each root.
  const roots = trust(stranger.rootPem, domain.rootPem);
  const rivals = Array.from(
    { length: 3 },
    () => new TestDomain("mesh.test", { nowMs: NOW_MS }).intermediateDer,
  );
  const { der } = domain.issue("web");
  assert.ok(judge([der, ...rivals.slice(1), domain.intermediateDer], {}, roots).ok);
  assert.equal(MAX_SIGNATURE_CHECKS, 8);
  const fresh = trust(stranger.rootPem, domain.rootPem);
  assertRefused(judge([der, ...rivals, domain.intermediateDer], {}, fresh), "bad_signature");
});

Deno.test("readTrustBundle says what is wrong with a bundle", () => {
  const leaf = domain.issue("web").leafPem;
  assert.throws(() => trust(leaf), /certificate 1 of the trust bundle: it is not a CA/);
  assert.throws(() => trust(domain.intermediatePem), /no self-signed root/);
  assert.throws(() => trust("nonsense"), /PEM blocks/);
  assert.throws(() => trust(), /no self-signed root/);
  assert.throws(() => readTrustBundle("Mesh", [domain.rootPem]), /trust domain "Mesh"/);
  const many = new Array(MAX_BUNDLE_CERTIFICATES + 1).fill(domain.rootPem);
  assert.throws(() => trust(...many), /at most 64 are allowed/);
});
