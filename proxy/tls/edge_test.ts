/** EdgeTls: which certificate for which name, and pairs that do not fit. */
import assert from "node:assert/strict";
import { TestDomain, type TestSvid } from "../../tests/support/ca.ts";
import { type EdgeCertificate, EdgeTls, keyName, readPair } from "./edge.ts";

const domain = new TestDomain("public.test");
const issue = (...dnsNames: string[]): TestSvid => domain.issue("x", { uris: [], dnsNames });
const certificate = (hostnames: string[], { chainPem, keyPem }: TestSvid): EdgeCertificate => ({
  name: hostnames.join(),
  hostnames,
  chainPem,
  keyPem,
});

Deno.test("EdgeTls goes from the very name over wildcards to everybody's certificate", () => {
  const [a, wild, deep, all] = [issue("a.b.test"), issue("*.test"), issue("*.b.test"), issue("z")];
  const tls = new EdgeTls([
    certificate(["*"], all!),
    certificate(["*.test"], wild!),
    certificate(["*.b.test"], deep!),
    certificate(["a.b.test"], a!),
  ]);
  const context = (name: string): unknown => tls.select(name);
  const distinct = new Set(["a.b.test", "x.b.test", "x.test", ""].map(context));
  assert.equal(distinct.size, 4);
  for (
    const [name, like] of [
      ["A.B.TEST", "a.b.test"],
      ["y.x.b.test", "x.b.test"],
      ["b.test", "x.test"],
      ["test", ""],
      ["elsewhere", ""],
    ] as const
  ) assert.equal(context(name), context(like), name);
});

Deno.test("EdgeTls has nothing for a name without a listener", () => {
  const tls = new EdgeTls([certificate(["a.test"], issue("a.test"))]);
  assert.notEqual(tls.select("a.test"), null);
  for (const name of ["", "b.test", "x.a.test", "a.test.evil"]) {
    assert.equal(tls.select(name), null, name);
  }
});

Deno.test("EdgeTls keeps the contexts of what stays in a swap, and all of them when it fails", () => {
  const [a, b, c] = [issue("a.test"), issue("b.test"), issue("b.test")];
  const tls = new EdgeTls([certificate(["a.test"], a!), certificate(["b.test"], b!)]);
  const before = [tls.select("a.test"), tls.select("b.test")];
  tls.replace([certificate(["a.test"], a!), certificate(["b.test"], c!)]);
  assert.equal(tls.select("a.test"), before[0]);
  assert.notEqual(tls.select("b.test"), before[1]);
  const now = tls.select("b.test");
  const broken = { ...certificate(["b.test"], b!), keyPem: a!.keyPem };
  assert.throws(
    () => tls.replace([broken]),
    /certificate "b\.test": the private key does not belong/,
  );
  assert.equal(tls.select("b.test"), now);
});

Deno.test("readPair says what is wrong and never what the key is", () => {
  const { chainPem, keyPem } = issue("a.test");
  assert.equal(typeof readPair(chainPem, keyPem), "object");
  for (
    const [chain, key, problem] of [
      ["", keyPem, /chain cannot be read/],
      [keyPem, keyPem, /chain cannot be read/],
      [chainPem.replace("MII", "MIJ"), keyPem, /cannot be read/],
      [chainPem, "", /private key cannot be read/],
      [chainPem, chainPem, /private key cannot be read/],
      [chainPem, issue("a.test").keyPem, /does not belong/],
    ] as const
  ) {
    const said = readPair(chain, key);
    assert.match(String(said), problem);
    assert.ok(!String(said).includes(keyPem.split("\n")[1]!));
  }
  assert.equal(keyName("nonsense"), null);
  assert.match(keyName(keyPem)!, /^sha256:[0-9a-f]{64}$/);
});
