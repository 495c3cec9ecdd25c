/** The Vault signer against servers that misbehave; tests/integration/vault_test.ts has the real one. */
import assert from "node:assert/strict";
import { encodePem } from "../../proxy/tls/mod.ts";
import { TestDomain } from "../../tests/support/ca.ts";
import { Authority } from "./authority.ts";
import { createKeyAndCsr } from "../../proxy/tls/mod.ts";
import { VAULT_LIMITS, VaultSigner } from "./vault_signer.ts";

const WEB = "spiffe://mesh.test/ns/default/sa/web";
const company = new TestDomain("mesh.test");
const DAY_MS = 86_400_000;

type Handler = (request: Request, body: Asked) => Response | Promise<Response>;
interface Asked {
  readonly csr: string;
  readonly uri_sans: string;
  readonly ttl: string;
}

const limits = { timeoutMs: 150, responseBytes: 20_000 };

/** An authority whose signer is `handler`, and what was asked of it. */
async function withSigner(
  handler: Handler,
  test: (authority: Authority, asked: Asked[], waits: number[], dir: string) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const waits: number[] = [];
  const dir = await Deno.makeTempDir({ prefix: "denim-vault-" });
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const body = request.method === "POST" ? await request.json() as Asked : {} as Asked;
      asked.push(body);
      return await handler(request, body);
    },
  );
  try {
    await Deno.writeTextFile(`${dir}/token`, "hvs.secret\n");
    await Deno.writeTextFile(`${dir}/root.pem`, company.rootPem);
    const signer = new VaultSigner({
      signUrl: `http://127.0.0.1:${server.addr.port}/v1/pki/sign/denim`,
      tokenFile: `${dir}/token`,
      limits,
      random: () => 1,
      sleep: (ms) => Promise.resolve(void waits.push(ms)),
    });
    const authority = await Authority.open(dir, { trustDomain: "mesh.test", signer });
    await test(authority, asked, waits, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const { csrPem } = createKeyAndCsr();

/** What a good PKI answers, or one that is not so good. */
function signed(
  { csr, uri_sans: id }: Asked,
  options: Parameters<TestDomain["issueForRequest"]>[2] = {},
  domain = company,
): Response {
  const [leaf, ...above] = domain.issueForRequest(id, csr, options).split(/(?<=-----END [^\n]*\n)/);
  return Response.json({ data: { certificate: leaf, ca_chain: [...above, domain.rootPem] } });
}

Deno.test("VaultSigner asks for the identity and time, and hands out the chain without its root", () =>
  withSigner((request, body) => {
    assert.equal(request.headers.get("x-vault-token"), "hvs.secret");
    return signed(body);
  }, async (authority, asked) => {
    const { chainPem } = await authority.issue(WEB, csrPem);
    assert.equal(asked[0]!.uri_sans, WEB);
    assert.equal(asked[0]!.csr, csrPem);
    const seconds = Number(asked[0]!.ttl.replace("s", ""));
    assert.ok(seconds > 86_300 && seconds <= 86_400, asked[0]!.ttl);
    assert.equal(chainPem.split("BEGIN CERTIFICATE").length, 3);
    assert.ok(chainPem.endsWith(company.intermediatePem));
  }));

Deno.test("VaultSigner tries again, later each time, when the server is away or sealed", () => {
  let n = 0;
  return withSigner(
    (_, body) => ++n < 3 ? Response.json({ errors: ["sealed"] }, { status: 503 }) : signed(body),
    async (authority, asked, waits) => {
      await authority.issue(WEB, csrPem);
      assert.equal(asked.length, 3);
      assert.deepEqual(waits, [VAULT_LIMITS.backoffMs, 2 * VAULT_LIMITS.backoffMs]);
    },
  );
});

/** How a server refuses, how often it is asked, and what is said. */
const REFUSALS: readonly (readonly [string, Handler, number, RegExp])[] = [
  [
    "forbids it",
    () => Response.json({ errors: ["permission denied"] }, { status: 403 }),
    1,
    /it answered 403 \(permission denied\): the token has expired, or its policy lacks/,
  ],
  ["has no such role", () => Response.json({}, { status: 404 }), 1, /no such mount or role/],
  [
    "has a role that does not allow it",
    () => Response.json({ errors: ["URI not allowed"] }, { status: 400 }),
    1,
    /400 \(URI not allowed\): the role has to allow/,
  ],
  ["is sealed for long", () => new Response("", { status: 503 }), 3, /503: it is sealed/],
  [
    "never answers",
    () => new Promise((resolve) => setTimeout(() => resolve(new Response()), 2 * limits.timeoutMs)),
    3,
    /it cannot be reached: .*Proxies go on with the certificates they have/,
  ],
  [
    "sends us elsewhere",
    () => Response.redirect("http://127.0.0.1:1/v1/pki/sign/denim", 307),
    1,
    /it answered 307/,
  ],
  ["answers without end", () => new Response("x".repeat(30_000)), 3, /longer than 20000 bytes/],
  ["answers something else", () => Response.json({ ok: 1 }), 1, /is not that of a PKI/],
  [
    "answers without a certificate",
    () => Response.json({ data: { certificate: "none" } }),
    1,
    /not one for "spiffe:\/\/mesh.test\/ns\/default\/sa\/web": there is none/,
  ],
];

for (const [what, handler, tries, says] of REFUSALS) {
  Deno.test(`VaultSigner says what to do when the server ${what}`, () =>
    withSigner(handler, async (authority, asked, _, dir) => {
      await assert.rejects(authority.issue(WEB, csrPem), (error: Error) => {
        assert.match(error.message, says);
        assert.ok(!error.message.includes("hvs.secret"));
        return true;
      });
      assert.equal(asked.length, tries);
      assert.equal(await Deno.stat(`${dir}/issued.jsonl`).catch(() => null), null);
    }));
}

const thief = new TestDomain("mesh.test", { name: "Thief" });
const stranger = createKeyAndCsr();

/** Certificates no proxy must get. */
const WRONG: readonly (readonly [string, (body: Asked) => Response, RegExp])[] = [
  ["another key", (body) => signed({ ...body, csr: stranger.csrPem }), /it is for another key/],
  [
    "another identity",
    (body) => signed({ ...body, uri_sans: "spiffe://mesh.test/ns/default/sa/admin" }),
    /it names "spiffe:\/\/mesh.test\/ns\/default\/sa\/admin"/,
  ],
  ["two identities", (body) => signed(body, { uris: [WEB, `${WEB}2`] }), /it names "/],
  [
    "a host name as well",
    (body) => signed(body, { dnsNames: ["bank.example"] }),
    /also names "bank.example"/,
  ],
  ["another root", (body) => signed(body, {}, thief), /bad_signature|not signed by|No current/],
  [
    "more time than was asked for",
    (body) => signed(body, { notAfterMs: Date.now() + 30 * DAY_MS }),
    /it lives until/,
  ],
  [
    "an end in the past",
    (body) => signed(body, { notAfterMs: Date.now() - 1000 }),
    /expired/,
  ],
  [
    "a beginning long ago",
    (body) => signed(body, { notBeforeMs: Date.now() - 30 * DAY_MS }),
    /it begins on/,
  ],
  ["an authority", (body) => signed(body, { isCa: true }), /is one of an authority/],
  ["clients only", (body) => signed(body, { extKeyUsage: ["1.3.6.1.5.5.7.3.2"] }), /this role/],
  ["the power to sign", (body) => signed(body, { keyUsage: [2, 0x84] }), /key usage/],
];

for (const [what, answer, says] of WRONG) {
  Deno.test(`Authority does not hand out what a signer made for ${what}`, () =>
    withSigner((_, body) => answer(body), async (authority, _asked, _waits, dir) => {
      await assert.rejects(authority.issue(WEB, csrPem), says);
      assert.equal(await Deno.stat(`${dir}/issued.jsonl`).catch(() => null), null);
    }));
}

Deno.test("VaultSigner keeps its requests within a number, and the rest waiting", () => {
  let open = 0, most = 0;
  return withSigner(async (_, body) => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 1));
    open--;
    return signed(body);
  }, async (authority) => {
    await Promise.all(Array.from({ length: 40 }, () => authority.issue(WEB, csrPem)));
    assert.equal(most, VAULT_LIMITS.inFlight);
  });
});

Deno.test("VaultSigner refuses addresses that would show its token to the network, and other paths", () => {
  for (
    const [signUrl, says] of [
      ["http://vault:8200/v1/pki/sign/denim", /plain http to this machine only/],
      ["vault", /wanted an address/],
      ["https://vault:8200/v1/pki/issue/denim", /its path has to be/],
      ["https://vault:8200/", /its path has to be/],
    ] as const
  ) assert.throws(() => new VaultSigner({ signUrl, tokenFile: "" }), says);
  new VaultSigner({ signUrl: "https://vault/v1/team/pki/issuer/a/sign/denim", tokenFile: "" });
});

Deno.test("Authority keeps the control plane's certificate for a start without its signer", () => {
  let away = false;
  return withSigner(
    (_, body) => away ? new Response("", { status: 500 }) : signed(body),
    async (authority, _asked, _waits, dir) => {
      const first = await authority.controlPlaneSvid();
      assert.equal(((await Deno.stat(`${dir}/own.json`)).mode ?? 0) & 0o777, 0o600);
      away = true;
      assert.equal((await authority.controlPlaneSvid()).serial, first.serial);
      await Deno.writeTextFile(`${dir}/own.json`, "{}");
      await assert.rejects(authority.controlPlaneSvid(), /it answered 500/);
    },
  );
});

Deno.test("Authority wants the root above an external signer", async () => {
  const dir = await Deno.makeTempDir();
  const signer = new VaultSigner({ signUrl: "https://vault/v1/pki/sign/denim", tokenFile: "" });
  const opened = Authority.open(dir, { trustDomain: "mesh.test", signer });
  await assert.rejects(opened, /root.pem" is missing.*denim ca import --data DIR --root FILE/);
  await Deno.writeTextFile(`${dir}/root.pem`, encodePem(company.intermediateDer, "CERTIFICATE"));
  await assert.rejects(Authority.open(dir, { trustDomain: "mesh.test", signer }), /no root/);
  await Deno.remove(dir, { recursive: true });
});
