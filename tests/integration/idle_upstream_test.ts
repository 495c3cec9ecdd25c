/** An upstream that closes idle connections, politely or not: no request may fail for it. */
import assert from "node:assert/strict";
import { Origin, type OriginOptions } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

/** Sends `total` requests, waiting `gapMs(i)` before each; how often each status came. */
async function load(
  url: string,
  total: number,
  method: (i: number) => string,
  gapMs: (i: number) => number,
): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  for (let i = 0; i < total; i++) {
    const wait = gapMs(i);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const verb = method(i);
    const response = await fetch(url, { method: verb, ...(verb === "GET" ? {} : { body: "x" }) });
    const text = await response.text();
    const key = response.status === 200 ? "200" : `${response.status} ${text.trim()}`;
    statuses[key] = (statuses[key] ?? 0) + 1;
  }
  return statuses;
}

async function withOrigin(
  options: OriginOptions,
  use: (url: string, origin: Origin) => Promise<void>,
): Promise<void> {
  await using origin = await Origin.start(options);
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [{ name: "shop", port: 80 }] }),
  ]);
  await use(proxy.url(), origin);
}

const GET = () => "GET";
const POST = () => "POST";
const MIXED = (i: number) => ["GET", "POST", "PUT"][i % 3]!;

Deno.test("No request fails when the upstream closes idle connections just as they are used", async () => {
  // Gaps around the upstream's idle time: many requests meet a connection in the act of closing.
  await withOrigin({ idleMs: 40 }, async (url, origin) => {
    const clients = (method: () => string): Promise<Record<string, number>[]> =>
      Promise.all([0, 1, 2, 3].map((n) => load(url, 30, method, (i) => 36 + (i + n) % 8)));
    for (const statuses of await clients(GET)) assert.deepEqual(statuses, { "200": 30 });
    assert.ok(origin.connections > 5, `only ${origin.connections} connections: nothing was tested`);
    // A POST cannot be sent twice: by now the proxy has learnt to keep it off such connections.
    for (const statuses of await clients(POST)) assert.deepEqual(statuses, { "200": 30 });
  });
});

Deno.test("No request fails when the upstream closes after each response without saying so", async () => {
  await withOrigin({ closeAfterResponse: true }, async (url, origin) => {
    const one = (): Promise<Record<string, number>> => load(url, 100, GET, () => 0);
    for (const statuses of await Promise.all([one(), one(), one()])) {
      assert.deepEqual(statuses, { "200": 100 });
    }
    assert.ok(origin.connections >= 300);
    assert.deepEqual(await load(url, 200, POST, () => 0), { "200": 200 });
  });
});

Deno.test("No request of any method fails when the upstream closes after a second", async () => {
  await withOrigin({ idleMs: 1000 }, async (url) => {
    const statuses = await load(url, 9, MIXED, (i) => [0, 995, 1005][i % 3]!);
    assert.deepEqual(statuses, { "200": 9 });
  });
});

Deno.test("No GET fails when the upstream restarts between requests", async () => {
  await withOrigin({}, async (url, origin) => {
    for (let round = 0; round < 10; round++) {
      assert.deepEqual(await load(url, 5, GET, () => 0), { "200": 5 });
      origin.cutAll();
    }
  });
});
