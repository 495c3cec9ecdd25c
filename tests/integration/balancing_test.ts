/** Load balancing and endpoint failure seen from outside. */
import assert from "node:assert/strict";
import { Origin } from "../support/origin.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../support/standalone.ts";

/** Sends GETs from several clients until `total` are done; every status, and a call before each. */
async function load(
  url: string,
  total: number,
  clients: number,
  before: (i: number) => void | Promise<void> = () => {},
): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  let next = 0;
  const client = async (): Promise<void> => {
    for (let i = next++; i < total; i = next++) {
      await before(i);
      const response = await fetch(url);
      const text = await response.text();
      const key = response.status === 200 ? "200" : `${response.status} ${text.trim()}`;
      statuses[key] = (statuses[key] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return statuses;
}

const SHOP = route("shop", { backendRefs: [{ name: "shop", port: 80 }] });

Deno.test("P2C, the default, keeps traffic off an endpoint that answers slowly", async () => {
  await using fast = await Origin.start({ answer: () => ({ afterMs: 5 }) });
  await using other = await Origin.start({ answer: () => ({ afterMs: 5 }) });
  await using slow = await Origin.start({ answer: () => ({ afterMs: 150 }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", fast.address, slow.address, other.address),
    SHOP,
  ]);
  assert.deepEqual(await load(proxy.url(), 600, 6), { "200": 600 });
  assert.ok(slow.requests.length < 60, `the slow one got ${slow.requests.length} of 600`);
  assert.ok(Math.min(fast.requests.length, other.requests.length) > 150);
});

for (const algorithm of ["round_robin", "least_request"] as const) {
  Deno.test(`${algorithm} shares requests among equal endpoints`, async () => {
    await using a = await Origin.start();
    await using b = await Origin.start();
    await using c = await Origin.start();
    await using proxy = await StandaloneProxy.start([
      gateway(),
      service("shop", a.address, b.address, c.address),
      SHOP,
      policy("shop", { loadBalancer: { algorithm } }),
    ]);
    assert.deepEqual(await load(proxy.url(), 300, 3), { "200": 300 });
    const shares = [a, b, c].map((origin) => origin.requests.length);
    assert.ok(Math.min(...shares) > 60, `shares ${shares.join(" ")}`);
  });
}

Deno.test("ring_hash keeps one user at one endpoint and spreads users", async () => {
  await using a = await Origin.start({ answer: () => ({ body: "a" }) });
  await using b = await Origin.start({ answer: () => ({ body: "b" }) });
  await using c = await Origin.start({ answer: () => ({ body: "c" }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", a.address, b.address, c.address),
    SHOP,
    policy("shop", { loadBalancer: { algorithm: "ring_hash", hashHeader: "X-User" } }),
  ]);
  const ask = async (user: string): Promise<string> =>
    await (await fetch(proxy.url(), { headers: { "x-user": user } })).text();
  const homes = new Set<string>();
  for (let user = 0; user < 40; user++) {
    const home = await ask(`user-${user}`);
    homes.add(home);
    for (let i = 0; i < 3; i++) assert.equal(await ask(`user-${user}`), home);
  }
  assert.equal(homes.size, 3);
});

Deno.test("No GET fails while one of three endpoints dies and comes back", async () => {
  await using a = await Origin.start();
  await using b = await Origin.start();
  let c = await Origin.start();
  const { port, address } = c;
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", a.address, b.address, address),
    SHOP,
    policy("shop", {
      outlierDetection: { consecutive5xx: 1, baseEjection: "100ms", maxEjectionPercent: 50 },
    }),
  ]);
  try {
    const statuses = await load(proxy.url(), 1500, 4, async (i) => {
      if (i === 400) await c[Symbol.asyncDispose]();
      if (i === 900) c = await Origin.start({ port });
    });
    assert.deepEqual(statuses, { "200": 1500 });
    for (let i = 0; c.requests.length === 0 && i < 200; i++) {
      await load(proxy.url(), 10, 1, () => new Promise((resolve) => setTimeout(resolve, 2)));
    }
    assert.ok(c.requests.length > 0, "the one that came back gets traffic again");
  } finally {
    await c[Symbol.asyncDispose]();
  }
});

Deno.test("When every endpoint is ejected all are tried rather than none", async () => {
  let status = 500;
  await using a = await Origin.start({ answer: () => ({ status }) });
  await using b = await Origin.start({ answer: () => ({ status }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", a.address, b.address),
    SHOP,
    policy("shop", {
      retry: { attempts: 0 },
      outlierDetection: { consecutive5xx: 1, baseEjection: "1h", maxEjectionPercent: 100 },
    }),
  ]);
  const ejected = await load(proxy.url(), 20, 1);
  assert.equal(Object.values(ejected).reduce((sum, n) => sum + n, 0), 20);
  status = 200;
  assert.deepEqual(await load(proxy.url(), 20, 1), { "200": 20 });
});
