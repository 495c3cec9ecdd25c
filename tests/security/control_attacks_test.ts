/**
 * Who stands where the control plane should, and who asks a sidecar's admin port: neither learns anything, and
 * the proxy believes neither.
 */
import assert from "node:assert/strict";
import { CONTROL_ALPN } from "../../control/schema/protocol.ts";
import { stolenKeyPem, TestDomain } from "../support/ca.ts";
import { Attacker } from "./attacker.ts";
import { type Shown, shownBy } from "./bad_svids.ts";
import { Sidecar } from "./sidecar.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;
const WAIT_MS = 20_000;

const domain = new TestDomain("mesh.test");
const stranger = new TestDomain("mesh.test", { name: "Stranger" });
/** A stranger's authorities that bear the very names of ours. */
const forger = new TestDomain("mesh.test");
const CONTROL = "spiffe://mesh.test/ns/denim-system/sa/control-plane";

/** Who would like a proxy's join token. Each has what it shows; none is the control plane. */
const ROGUES: readonly [attack: string, shown: () => Shown][] = [
  ["a workload of the mesh", () => shownBy(domain.issue("web"))],
  [
    "a workload whose name begins alike",
    () => shownBy(domain.issue("x", { uris: [`${CONTROL}-2`] })),
  ],
  ["a workload called like it in its own namespace", () => shownBy(domain.issue("control-plane"))],
  ["a stranger's control plane", () => shownBy(stranger.issue("x", { uris: [CONTROL] }))],
  ["a forger's control plane", () => shownBy(forger.issue("x", { uris: [CONTROL] }))],
  [
    "its own certificate, when it has expired",
    () => shownBy(domain.issue("x", { uris: [CONTROL], notAfterMs: Date.now() - 1000 })),
  ],
  ["its certificate without the key", () => {
    const { chainPem, keys } = domain.issue("x", { uris: [CONTROL] });
    return { cert: chainPem, key: stolenKeyPem(keys) };
  }],
];

/** A proxy that is to join at `port`; resolves with what it logs when it cannot, and is ended. */
async function triesToJoin(port: number): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "denim-rogue-" });
  const token = `denim-join-${"R".repeat(43)}`;
  await Deno.writeTextFile(`${dir}/bundle.pem`, domain.rootPem);
  await Deno.writeTextFile(`${dir}/token`, token, { mode: 0o600 });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", MAIN, "proxy", "--control", `127.0.0.1:${port}`, "--state", `${dir}/state`],
      ...["--trust-bundle", `${dir}/bundle.pem`, "--join-token-file", `${dir}/token`],
      ...["--admin", "127.0.0.1:0", "--service", "victim", "--app", "127.0.0.1:9"],
      ...["--inbound", "127.0.0.1:0", "--outbound", "127.0.0.1:0"],
    ],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MS);
  let log = "";
  try {
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += part;
      if (/join\.failed|Cannot join/.test(log)) break;
    }
    assert.match(log, /join\.failed|Cannot join/);
    assert.ok(!log.includes(token), "the token is not in the log");
    return log;
  } finally {
    clearTimeout(timer);
    try {
      child.kill("SIGKILL");
    } catch {
      // it ended by itself
    }
    await child.status;
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("A proxy gives its join token to nobody but the control plane", async (t) => {
  await using attacker = Attacker.start();
  const heardAs = async (shown: Shown): Promise<number> => {
    const port = await attacker.listen({ ...shown, ALPNProtocols: CONTROL_ALPN });
    await triesToJoin(port);
    return await attacker.heard(port);
  };
  await t.step("its own certificate would get it", async () => {
    assert.ok(await heardAs(shownBy(domain.issue("x", { uris: [CONTROL] }))) > 0);
  });
  for (const [attack, shown] of ROGUES) {
    await t.step(`not a byte for ${attack}`, async () => {
      assert.equal(await heardAs(shown()), 0);
    });
  }
});

/** Requests at the admin port of a sidecar, and what is answered. */
const ADMIN: readonly [attack: string, anchor: string, head: string, status: number][] = [
  [
    "a page by a name of its own",
    "DNS rebinding",
    "GET /stats HTTP/1.1\r\nhost: evil.example",
    403,
  ],
  ["with our port in it", "DNS rebinding", "GET /stats HTTP/1.1\r\nhost: evil.example:PORT", 403],
  [
    "a name that begins with ours",
    "DNS rebinding",
    "GET /stats HTTP/1.1\r\nhost: 127.0.0.1.evil.example",
    403,
  ],
  [
    "a name that ends with ours",
    "DNS rebinding",
    "GET /stats HTTP/1.1\r\nhost: evil.localhost",
    403,
  ],
  ["the dump", "Cure53 EP-01-001", "GET /config_dump HTTP/1.1\r\nhost: evil.example", 403],
  ["a change", "CSRF", "POST /stats HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0", 405],
  [
    "stopping it",
    "CSRF",
    "POST /quitquitquit HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0",
    405,
  ],
  ["a file", "path traversal", "GET /../../etc/passwd HTTP/1.1\r\nhost: 127.0.0.1", 404],
];

Deno.test("The admin port of a sidecar answers its own host only, changes nothing and tells no secret", async (t) => {
  await using sidecar = await Sidecar.start(domain);
  const { port } = new URL(sidecar.admin);
  const ask = async (head: string): Promise<string> => {
    const conn = await Deno.connect({ port: Number(port) });
    const send = `${head.replace("PORT", port)}\r\nconnection: close\r\n\r\n`;
    await conn.write(new TextEncoder().encode(send));
    return await new Response(conn.readable).text();
  };
  for (const [attack, anchor, head, status] of ADMIN) {
    await t.step(`${status}: ${attack} (${anchor})`, async () => {
      assert.ok((await ask(head)).startsWith(`HTTP/1.1 ${status} `));
    });
  }
  await t.step("no key and no token is in what it tells", async () => {
    for (const path of ["/stats", "/config_dump", "/metrics", "/ready"]) {
      const answer = await ask(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1`);
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.ok(!/PRIVATE KEY|denim-join-/.test(answer), path);
    }
  });
});
