/** Roots and chains of somebody else's: what is taken, and what is said of each wrong file. */
import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { generateKeyPairSync } from "node:crypto";
import { createKeyAndCsr, decodePem, encodePem, MeshIdentity } from "../../proxy/tls/mod.ts";
import { type Signer as TestSigner, TestDomain } from "../../tests/support/ca.ts";
import { Authority } from "./authority.ts";
import { AuthorityError } from "./files.ts";
import { BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension } from "./x509.ts";
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from "./x509.ts";

const DOMAIN = "mesh.test";
const WEB = "spiffe://mesh.test/ns/default/sa/web";
const NOW_MS = Date.UTC(2026, 10, 24);
const DAY_MS = 86_400_000;
const LONG = { notAfterMs: NOW_MS + 300 * DAY_MS };
const clock = { nowMs: () => NOW_MS, monotonicMs: () => NOW_MS };

const company = new TestDomain(DOMAIN, { nowMs: NOW_MS });

interface Files {
  root: string;
  chain: string;
  key: string;
  mode?: number;
}

const pem = (...of: readonly Uint8Array[]): string =>
  of.map((der) => encodePem(der, "CERTIFICATE")).join("");
const keyPem = (key: KeyObject): string => String(key.export({ format: "pem", type: "pkcs8" }));

function laidIn(issuer: TestSigner, above: readonly TestSigner[] = []): Files {
  return {
    root: company.rootPem,
    chain: pem(issuer.der, ...above.map((one) => one.der)),
    key: keyPem(issuer.keys.privateKey),
  };
}

async function open(files: Files, domain = DOMAIN): Promise<Authority> {
  const dir = await Deno.makeTempDir({ prefix: "denim-ca-" });
  try {
    await Deno.writeTextFile(`${dir}/root.pem`, files.root);
    await Deno.writeTextFile(`${dir}/intermediate.pem`, files.chain);
    await Deno.writeTextFile(`${dir}/intermediate.key`, files.key, { mode: files.mode ?? 0o600 });
    const authority = await Authority.open(dir, { trustDomain: domain, clock });
    const { keyPem, csrPem } = createKeyAndCsr();
    const { chainPem } = await authority.issue(WEB, csrPem);
    // Whatever is taken has to be of use to a proxy.
    const material = { trustDomain: domain, keyPem, chainPem, bundle: authority.bundle() };
    new MeshIdentity(material, { nowMs: () => NOW_MS });
    return authority;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** An issuing certificate below `depth` others, and those. */
function deep(depth: number): [TestSigner, TestSigner[]] {
  const root = new TestDomain(DOMAIN, { nowMs: NOW_MS });
  const line: TestSigner[] = [];
  let above = root.root;
  for (let i = 0; i < depth; i++) line.unshift(above = root.authority(above, LONG));
  return [line[0]!, line.slice(1)];
}

Deno.test("Authority issues below an old and a new root, whichever its intermediate is of", async () => {
  const next = new TestDomain(DOMAIN, { nowMs: NOW_MS, name: "Next" });
  const issuer = company.authority(company.root, LONG);
  for (const root of [company.rootPem + next.rootPem, next.rootPem + company.rootPem]) {
    const authority = await open({ ...laidIn(issuer), root });
    assert.equal(authority.bundle().length, 2);
    assert.equal(authority.bundle().join(""), root);
  }
});

Deno.test("Authority hands out chains of several intermediates, in their order", async () => {
  // Of TestDomain's roots only one CA may follow, so a root without a path length is made here.
  const root = await selfSigned("ECDSA", "CN=Free root", [`spiffe://${DOMAIN}`]);
  const upper = company.authority({ ...company.root, ...root }, LONG);
  const middle = company.authority(upper, LONG);
  const issuer = company.authority(middle, LONG);
  const files = { ...laidIn(issuer, [middle, upper]), root: pem(root.der) };
  const authority = await open(files);
  const blocks = decodePem(authority.issuers().join(""), "CERTIFICATE")!;
  assert.deepEqual(blocks, [issuer.der, middle.der, upper.der]);
  await refuses({ ...files, chain: pem(issuer.der, upper.der, middle.der) }, [
    /certificate 1 .*was not signed by the certificate after it/,
  ]);
  const narrow = company.authority(upper, { ...LONG, pathLength: 0 });
  const below = company.authority(narrow, LONG);
  await refuses({ ...laidIn(below, [narrow, upper]), root: pem(root.der) }, [
    /certificate 2 .*its path length of 0/,
  ]);
});

Deno.test("Authority takes a root without the domain's name when an intermediate bears it", async () => {
  const root = await selfSigned("ECDSA", "CN=Company root", []);
  const plain = company.authority({ ...company.root, ...root }, LONG);
  const files = { ...laidIn(plain), root: pem(root.der) };
  await refuses(files, [/neither a root nor an intermediate bears the URI name/, /subjectAltName/]);
  const naming = company.authority({ ...company.root, ...root }, {
    ...LONG,
    uris: [`spiffe://${DOMAIN}`],
  });
  const authority = await open({ ...laidIn(naming), root: pem(root.der) });
  assert.equal(authority.bundle().length, 2, "proxies learn the domain's name from the second");
});

Deno.test("Authority takes an RSA root, but signs with P-256 only", async () => {
  const rsa = await selfSigned("RSASSA-PKCS1-v1_5", "CN=RSA root", [`spiffe://${DOMAIN}`]);
  const issuer = company.authority(company.root, LONG);
  await open({ ...laidIn(issuer), root: company.rootPem + pem(rsa.der) });
  await refuses({ ...laidIn(issuer), root: pem(rsa.der) }, [/was not signed by/]);
  await refuses({ ...laidIn(issuer), key: keyPem(rsa.keys.privateKey) }, [
    /intermediate.key": it holds a key of type rsa; a key on the curve P-256/,
  ]);
});

async function refuses(files: Files, says: readonly RegExp[], domain = DOMAIN): Promise<void> {
  await assert.rejects(open(files, domain), (error) => {
    assert.ok(error instanceof AuthorityError, String(error));
    for (const pattern of says) assert.match(error.message, pattern);
    return true;
  });
}

const issuer = company.authority(company.root, LONG);
const good = laidIn(issuer);
const other = new TestDomain("other.test", { nowMs: NOW_MS });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const leaf = company.issue("web");

/** What is wrong, the files, and what has to be said. */
const WRONG: readonly (readonly [string, Files, ...RegExp[]])[] = [
  [
    "a root of another trust domain",
    { ...good, root: other.rootPem },
    /trust domain "mesh.test"/,
    /is the root of "spiffe:\/\/other.test"/,
  ],
  ["a leaf for a root", { ...good, root: leaf.leafPem }, /root of "spiffe:\/\/mesh.test\/ns/],
  [
    "an intermediate for a root",
    { ...good, root: pem(issuer.der) },
    /it is not self-signed, so it is no root/,
  ],
  [
    "roots without end",
    { ...good, root: company.rootPem.repeat(9) },
    /9 certificates, at most 8 roots/,
  ],
  ["no PEM", { ...good, root: "hello" }, /root.pem": PEM certificates, and no other text/],
  ["a key in the chain's file", { ...good, chain: good.chain + good.key }, /private key in it/],
  [
    "the key of somebody else",
    { ...good, key: keyPem(company.authority().keys.privateKey) },
    /it is not the key of the first certificate of/,
  ],
  [
    "a key others may read",
    { ...good, mode: 0o640 },
    /others than its owner may read or write it. Run: chmod 600/,
  ],
  ["a P-384 key", { ...good, key: keyPem(p384.privateKey) }, /P-256 is wanted/],
  [
    "a key in OpenSSL's older form",
    {
      ...good,
      key: String(issuer.keys.privateKey.export({ format: "pem", type: "sec1" })),
    },
    /"EC PRIVATE KEY". Convert it: openssl pkcs8 -topk8/,
  ],
  [
    "an encrypted key",
    {
      ...good,
      key: good.key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    },
    /an encrypted key, .*Decrypt it: openssl pkey/,
  ],
  [
    "an expired intermediate",
    laidIn(company.authority(company.root, { notAfterMs: NOW_MS - 1000 })),
    /intermediate.pem" expired on 2026-11-23/,
    /lay in a new/,
  ],
  [
    "an intermediate of tomorrow",
    laidIn(company.authority(company.root, { ...LONG, notBeforeMs: NOW_MS + DAY_MS })),
    /not valid yet/,
  ],
  [
    "an intermediate that is no CA",
    laidIn(company.authority(company.root, { ...LONG, isCa: false })),
    /certificate 1 of .*: it is not a CA certificate/,
  ],
  [
    "an intermediate that may not sign",
    laidIn(company.authority(company.root, { ...LONG, keyUsage: [7, 0x80] })),
    /its key usage does not allow signing certificates/,
  ],
  [
    "an intermediate of another trust domain",
    laidIn(company.authority(company.root, { ...LONG, uris: ["spiffe://other.test"] })),
    /certificate 1 .* is an authority of "spiffe:\/\/other.test"/,
  ],
  [
    "an intermediate for clients only",
    laidIn(company.authority(company.root, { ...LONG, extKeyUsage: ["1.3.6.1.5.5.7.3.2"] })),
    /extended key usage does not allow this role/,
  ],
  [
    "a chain without end",
    { ...laidIn(...deep(4)), root: company.rootPem },
    /4 certificates, at most 3/,
  ],
];

for (const [what, files, ...says] of WRONG) {
  Deno.test(`Authority says what is wrong with ${what}`, () => refuses(files, says));
}

/** A root whose key is of any kind, in the form of TestDomain's signers. */
async function selfSigned(
  name: "ECDSA" | "RSASSA-PKCS1-v1_5",
  subject: string,
  uris: readonly string[],
): Promise<Pick<TestSigner, "name" | "keys" | "der">> {
  const keys = name === "ECDSA"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const algorithm = name === "ECDSA"
    ? { name, namedCurve: "P-256", hash: "SHA-256" }
    : { name, hash: "SHA-256" };
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", bytes(keys.privateKey, "pkcs8"), algorithm, true, ["sign"]),
    crypto.subtle.importKey("spki", bytes(keys.publicKey, "spki"), algorithm, true, ["verify"]),
  ]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys: { privateKey, publicKey },
    notBefore: new Date(NOW_MS - DAY_MS),
    notAfter: new Date(NOW_MS + 900 * DAY_MS),
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      ...uris.length === 0 ? [] : [
        new SubjectAlternativeNameExtension(
          uris.map((value) => ({ type: "url" as const, value })),
        ),
      ],
    ],
  });
  return {
    name: new Uint8Array(certificate.subjectName.toArrayBuffer()),
    keys,
    der: new Uint8Array(certificate.rawData),
  };
}

function bytes(key: KeyObject, type: "pkcs8" | "spki"): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ format: "der", type } as { format: "der"; type: "spki" }));
}
