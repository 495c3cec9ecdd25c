/** The authority: what it issues, what it keeps on disk and what it says when that is damaged. */
import assert from "node:assert/strict";
import type { Clock } from "../../core/clock.ts";
import {
  createKeyAndCsr,
  decodePem,
  encodePem,
  MeshIdentity,
  parseCertificate,
} from "../../proxy/tls/mod.ts";
import { TestDomain } from "../../tests/support/ca.ts";
import {
  Authority,
  type AuthorityOptions,
  DEFAULT_LEAF_TTL_MS,
  INTERMEDIATE_RENEWAL_MS,
  MAX_LEAF_TTL_MS,
} from "./authority.ts";
import { INTERMEDIATE_LIFE_MS, newKeys } from "./certificates.ts";
import { AuthorityError } from "./files.ts";
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "./x509.ts";

const DOMAIN = "mesh.test";
const WEB = "spiffe://mesh.test/ns/default/sa/web";
const START_MS = Date.UTC(2026, 10, 24, 3, 30);

function clockAt(startMs: number): Clock & { ms: number } {
  return { ms: startMs, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
}
let clock = clockAt(START_MS);

async function withFolder(test: (dir: string) => Promise<void>): Promise<void> {
  clock = clockAt(START_MS);
  const dir = await Deno.makeTempDir({ prefix: "denim-ca-" });
  try {
    await test(`${dir}/ca`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const open = (dir: string, options: Partial<AuthorityOptions> = {}): Promise<Authority> =>
  Authority.open(dir, { trustDomain: DOMAIN, clock, ...options });

const nowMs = (): number => clock.nowMs();

Deno.test("Authority issues an SVID its own bundle vouches for", () =>
  withFolder(async (dir) => {
    const authority = await open(dir);
    const { keyPem, csrPem } = createKeyAndCsr();
    const { chainPem, serial, notBeforeMs, notAfterMs } = await authority.issue(WEB, csrPem);
    const identity = new MeshIdentity(
      { trustDomain: DOMAIN, keyPem, chainPem, bundle: authority.bundle() },
      { nowMs },
    );
    assert.equal(identity.id, WEB);
    assert.equal(identity.serial, serial);
    assert.equal(identity.notAfterMs, notAfterMs);
    assert.equal(notAfterMs, START_MS + DEFAULT_LEAF_TTL_MS);
    assert.equal(notBeforeMs, START_MS - 60_000);
    assert.match(serial, /^[0-9A-F]{32}$/);
  }));

Deno.test("Authority gives the control plane a key and an SVID of its own", () =>
  withFolder(async (dir) => {
    const authority = await open(dir);
    const svid = await authority.controlPlaneSvid();
    const identity = new MeshIdentity({
      trustDomain: DOMAIN,
      keyPem: svid.keyPem,
      chainPem: svid.chainPem,
      bundle: authority.bundle(),
    }, { nowMs });
    assert.equal(identity.id, "spiffe://mesh.test/ns/denim-system/sa/control-plane");
  }));

Deno.test("Authority takes nothing but the key from a request that asks for more", () =>
  withFolder(async (dir) => {
    const authority = await open(dir);
    const request = await Pkcs10CertificateRequestGenerator.create({
      name: "CN=admin",
      keys: await newKeys(),
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [
        new BasicConstraintsExtension(true, 5, true),
        new SubjectAlternativeNameExtension([
          { type: "url", value: "spiffe://mesh.test/ns/default/sa/admin" },
          { type: "dns", value: "*" },
        ]),
      ],
    });
    const csrPem = encodePem(new Uint8Array(request.rawData), "CERTIFICATE REQUEST");
    const { chainPem } = await authority.issue(WEB, csrPem);
    const leaf = parseCertificate(decodePem(chainPem, "CERTIFICATE")![0]!);
    if (typeof leaf === "string") assert.fail(leaf);
    assert.deepEqual(leaf.uris, [WEB]);
    assert.deepEqual(leaf.dnsNames, []);
    assert.equal(leaf.isCa, false);
    assert.deepEqual(leaf.subject, Uint8Array.of(0x30, 0));
  }));

Deno.test("Authority refuses identities of other domains and impossible options", () =>
  withFolder(async (dir) => {
    const authority = await open(dir);
    const { csrPem } = createKeyAndCsr();
    for (const identity of ["spiffe://other.test/ns/a/sa/b", "spiffe://mesh.test/A", "web"]) {
      await assert.rejects(authority.issue(identity, csrPem), /Cannot issue for/);
    }
    await assert.rejects(open(dir, { trustDomain: "Mesh" }), /trust domain "Mesh"/);
    await assert.rejects(open(dir, { leafTtlMs: 10 }), /leaf lifetime of 10 ms/);
    await assert.rejects(open(dir, { leafTtlMs: MAX_LEAF_TTL_MS + 1 }), /leaf lifetime/);
  }));

Deno.test("Authority keeps its root over restarts, and its keys to itself", () =>
  withFolder(async (dir) => {
    const first = await open(dir);
    const again = await open(dir);
    assert.deepEqual(again.bundle(), first.bundle());
    for (const name of ["root.key", "intermediate.key"]) {
      assert.equal(((await Deno.stat(`${dir}/${name}`)).mode ?? 0) & 0o777, 0o600, name);
    }
    assert.equal(((await Deno.stat(dir)).mode ?? 0) & 0o777, 0o700);
    assert.ok(!(await Deno.readTextFile(`${dir}/root.pem`)).includes("PRIVATE"));
  }));

Deno.test("Authority logs every certificate before it is handed out, and issues none it cannot log", () =>
  withFolder(async (dir) => {
    const authority = await open(dir);
    const { csrPem } = createKeyAndCsr();
    const { serial } = await authority.issue(WEB, csrPem);
    const lines = (await Deno.readTextFile(`${dir}/issued.jsonl`)).trimEnd().split("\n");
    assert.equal(lines.length, 1);
    const entry = JSON.parse(lines[0]!);
    assert.equal(entry.serial, serial);
    assert.equal(entry.identity, WEB);
    assert.equal(entry.time, "2026-11-24T03:30:00.000Z");
    assert.match(entry.key, /^[0-9a-f]{64}$/);
    await Deno.remove(`${dir}/issued.jsonl`);
    await Deno.mkdir(`${dir}/issued.jsonl`);
    await assert.rejects(authority.issue(WEB, csrPem));
  }));

Deno.test("Authority replaces its intermediate in time, while running and at start", () =>
  withFolder(async (dir) => {
    const authority = await open(dir);
    const { csrPem } = createKeyAndCsr();
    const above = async (from: Authority): Promise<string> =>
      (await from.issue(WEB, csrPem)).chainPem.split("-----END CERTIFICATE-----\n")[1]!;
    const first = await above(authority);
    clock.ms += INTERMEDIATE_LIFE_MS - INTERMEDIATE_RENEWAL_MS - 1000;
    assert.equal(await above(authority), first);
    clock.ms += 2000;
    const second = await above(authority);
    assert.notEqual(second, first);
    assert.equal(await above(await open(dir)), second);
    clock.ms += INTERMEDIATE_LIFE_MS;
    assert.notEqual(await above(await open(dir)), second);
  }));

Deno.test("Authority works without the root's key until the intermediate has expired", () =>
  withFolder(async (dir) => {
    await open(dir);
    await Deno.rename(`${dir}/root.key`, `${dir}/../offline.key`);
    clock.ms += INTERMEDIATE_LIFE_MS - 1000;
    const { csrPem } = createKeyAndCsr();
    const { notAfterMs } = await (await open(dir)).issue(WEB, csrPem);
    assert.equal(notAfterMs, START_MS + INTERMEDIATE_LIFE_MS, "no leaf outlives its signer");
    clock.ms += 2000;
    await assert.rejects(open(dir), /root's key .* is missing/);
    await open(dir, { rootKeyFile: `${dir}/../offline.key` });
  }));

Deno.test("Authority issues under a root of somebody else's when its files are laid in", () =>
  withFolder(async (dir) => {
    const other = new TestDomain(DOMAIN, { nowMs: START_MS });
    const intermediate = other.authority(other.root, { notAfterMs: START_MS + 100 * 86_400_000 });
    const key = String(intermediate.keys.privateKey.export({ format: "pem", type: "pkcs8" }));
    await Deno.mkdir(dir);
    await Deno.writeTextFile(`${dir}/root.pem`, other.rootPem);
    await Deno.writeTextFile(`${dir}/intermediate.pem`, encodePem(intermediate.der, "CERTIFICATE"));
    await Deno.writeTextFile(`${dir}/intermediate.key`, key, { mode: 0o600 });
    const authority = await open(dir);
    assert.deepEqual(authority.bundle(), [other.rootPem]);
    const { keyPem, csrPem } = createKeyAndCsr();
    const { chainPem } = await authority.issue(WEB, csrPem);
    const bundle = authority.bundle();
    const identity = new MeshIdentity({ trustDomain: DOMAIN, keyPem, chainPem, bundle }, { nowMs });
    assert.equal(identity.id, WEB);
    await assert.rejects(open(dir, { trustDomain: "other.test" }), /is the root of/);
  }));

Deno.test("Authority says what to do when its files are damaged, open to others or of another domain", () =>
  withFolder(async (dir) => {
    await open(dir);
    const rejects = (pattern: RegExp, options: Partial<AuthorityOptions> = {}): Promise<void> =>
      assert.rejects(
        open(dir, options),
        (error) => error instanceof AuthorityError && pattern.test(error.message),
      );
    await rejects(/is the root of "spiffe:\/\/mesh.test"/, { trustDomain: "other.test" });
    await Deno.chmod(`${dir}/intermediate.key`, 0o644);
    await rejects(/Run: chmod 600/);
    await Deno.chmod(`${dir}/intermediate.key`, 0o600);
    const key = await Deno.readTextFile(`${dir}/intermediate.key`);
    await Deno.writeTextFile(`${dir}/intermediate.key`, key.slice(0, 50));
    await rejects(/Restore it from a backup/);
    await Deno.writeTextFile(`${dir}/intermediate.key`, key);
    await open(dir);
    const root = await Deno.readTextFile(`${dir}/root.pem`);
    await Deno.writeTextFile(`${dir}/root.pem`, "");
    await rejects(/PEM certificates, and no other text, are wanted/);
    await Deno.remove(`${dir}/root.pem`);
    await rejects(/"[^"]+root.pem" is missing but an intermediate is there/);
    await Deno.writeTextFile(`${dir}/root.pem`, root);
    clock.ms += 11 * 365 * 24 * 3_600_000;
    await rejects(/it expired on/);
  }));
