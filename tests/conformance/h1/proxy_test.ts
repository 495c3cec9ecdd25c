/** The table of proxy semantics over sockets: through one proxy, and through two sidecars with HTTP/2 between them. */
import assert from "node:assert/strict";
import { freePort } from "../../support/free_port.ts";
import { startMesh } from "../../support/mesh.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { PROXY_CASES, type ProxyCase } from "./proxy_cases.ts";
import { ask, Client, type Script, ScriptedOrigin } from "./wire.ts";

const scripts = new Map<string, Script>(PROXY_CASES.map((row, i) => [`case${i}`, {
  when: "request",
  reply: row.reply ?? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  ...row.script,
}]));

async function check(row: ProxyCase, i: number, url: string, host: string, origin: ScriptedOrigin) {
  const name = `case${i}`;
  origin.got.delete(name);
  const raw = row.request.replaceAll("HOST", host).replaceAll("/PATH", `/${name}`);
  const answer = await ask(url, raw);
  const got = origin.got.get(name) ?? [];
  for (const pattern of row.client) assert.match(answer, pattern);
  for (const pattern of row.notClient ?? []) assert.doesNotMatch(answer, pattern);
  if (row.upstream === undefined) return assert.deepEqual(got, [], "nothing may reach the origin");
  assert.ok(got.length > 0, `nothing reached the origin; the client got: ${answer}`);
  for (const pattern of row.upstream) assert.match(got[0]!, pattern);
  for (const pattern of row.notUpstream ?? []) assert.doesNotMatch(got[0]!, pattern);
}

/** What needs more than one turn. */
async function conversations(t: Deno.TestContext, way: string, url: string, host: string) {
  await t.step(
    `${way}: RFC 9110 10.1.1: a client waits for 100 before it sends its body`,
    async () => {
      using client = new Client(url);
      client.send(`POST /continue HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\n`);
      client.send("Content-Length: 4\r\nConnection: close\r\n\r\n");
      await client.has(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
      client.send("body");
      assert.match(await client.whole(), /HTTP\/1\.1 200 [^]*done$/);
    },
  );

  await t.step(`${way}: RFC 9110 10.1.1: or hears at once that nobody wants it`, async () => {
    using client = new Client(url);
    client.send(`POST /refuse HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\n`);
    client.send("Content-Length: 4\r\n\r\n");
    // Whether the body follows nobody knows: the connection ends.
    assert.match(await client.whole(), /^HTTP\/1\.1 417 [^]*connection: close\r\n[^]*no$/);
  });

  await t.step(`${way}: RFC 9112 9.3.2: pipelined requests are answered in order`, async () => {
    using client = new Client(url);
    const paths = Array.from({ length: 12 }, (_, i) => `/p${i}`);
    client.send(
      paths.map((path, i) =>
        i % 3 === 0
          ? `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\n\r\nGET /`
          : `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
      ).join("") + `GET /last HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    const answer = await client.whole();
    assert.equal(answer.match(/HTTP\/1\.1 200/g)!.length, 13);
    assert.ok(!answer.includes("denim-fault"));
  });

  await t.step(
    `${way}: RFC 9112 9.6: a client that ends its half still gets its answer`,
    async () => {
      using client = new Client(url);
      client.socket.end(`GET /half HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.match(await client.whole(), /^HTTP\/1\.1 200 [^]*ok$/);
    },
  );
}

scripts.set("continue", {
  when: "request",
  interim: "HTTP/1.1 100 Continue\r\n\r\n",
  reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone",
});
scripts.set("refuse", {
  when: "head",
  reply: "HTTP/1.1 417 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
  close: true,
});

Deno.test("One proxy treats messages as RFC 9110 and 9112 ask", async (t) => {
  await using origin = await ScriptedOrigin.start(scripts);
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("origin", origin.address),
    route("all", { backendRefs: [{ name: "origin", port: 80 }] }),
  ]);
  for (const [i, row] of PROXY_CASES.entries()) {
    await t.step(row.name, () => check(row, i, proxy.url(), "shop.example", origin));
  }
  await conversations(t, "one proxy", proxy.url(), "shop.example");
});

Deno.test("Two sidecars with HTTP/2 between them treat messages as one proxy does", async (t) => {
  await using origin = await ScriptedOrigin.start(scripts);
  await using mesh = await startMesh({
    services: [{ name: "web" }, { name: "shop", address: origin.address }],
    gateway: false,
  });
  for (const [i, row] of PROXY_CASES.entries()) {
    await t.step(row.name, () => check(row, i, mesh.outbound("web"), "shop", origin));
  }
  await conversations(t, "two sidecars", mesh.outbound("web"), "shop");
  await t.step("Via names both, and what each of them received", async () => {
    origin.got.clear();
    const raw = "GET /via HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    const answer = await ask(mesh.outbound("web"), raw);
    const hops = [...origin.got.get("via")![0]!.matchAll(/\r\nvia: ([^\r]*)/gi)];
    assert.deepEqual(hops.map(([, hop]) => hop!.replace(/-[0-9a-f]{8}$/, "")), [
      "1.1 denim",
      "2 denim",
    ]);
    assert.notEqual(hops[0]![1]!.slice(4), hops[1]![1]!.slice(2), "they are two");
    assert.deepEqual([...answer.matchAll(/\r\nvia: ([^\r]*)/gi)].map(([, hop]) => hop), [
      "1.1 denim",
      "2 denim",
    ]);
  });
});

Deno.test("A route that leads back to its own proxy ends with 508 after three passes", async (t) => {
  const port = freePort();
  const edge = gateway() as { spec: { listeners: Record<string, unknown>[] } };
  edge.spec.listeners[0]!["port"] = port;
  const origin = await ScriptedOrigin.start(new Map());
  await using _origin = origin;
  await using proxy = await StandaloneProxy.start([
    edge,
    service("self", `127.0.0.1:${port}`),
    service("app", origin.address),
    route(
      "all",
      { matches: [{ path: { value: "/app" } }], backendRefs: [{ name: "app", port: 80 }] },
      { backendRefs: [{ name: "self", port: 80 }] },
    ),
    policy("self", { retry: { attempts: 3, codes: [500, 502, 503, 504] } }),
  ]);
  const requests = (): Promise<number> =>
    proxy.metric(
      'denim_requests_total{listener="http",route="default/all/1",backend="default/self:80",code="5xx"}',
    );
  const send = (fields = ""): Promise<string> =>
    ask(proxy.url(), `GET /loop HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\n\r\n`);

  await t.step("the client is told, each pass was one request, none was tried again", async () => {
    const answer = await send();
    assert.match(answer, /^HTTP\/1\.1 508 Loop Detected\r\n[^]*\r\ndenim-fault: route\.loop\r\n/);
    assert.equal(await requests(), 4);
  });
  await t.step("so is who comes after 32 other proxies", async () => {
    const via = Array.from({ length: 33 }, (_, i) => `1.1 p${i}`).join(", ");
    const answer = await ask(
      proxy.url(),
      `GET /app HTTP/1.1\r\nHost: a\r\nVia: ${via}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 508 [^]*route\.loop/);
    assert.equal(origin.got.size, 0);
  });
  await t.step("the proxy goes on with what does not loop", async () => {
    const answer = await ask(
      proxy.url(),
      "GET /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert.match(answer, /^HTTP\/1\.1 200 /);
  });
});
