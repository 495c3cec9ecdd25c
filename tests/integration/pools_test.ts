/** Connections to a backend as its origin sees them: how many, how long, and how many before a request. */
import assert from "node:assert/strict";
import { http } from "../support/http.ts";
import { until } from "../support/mesh.ts";
import { Origin, type OriginOptions } from "../support/origin.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../support/standalone.ts";

/** Sweeps come each second. */
const SWEPT_MS = 10_000;

async function withPolicy(
  options: OriginOptions,
  spec: Record<string, unknown>,
  use: (url: string, origin: Origin) => Promise<void>,
): Promise<void> {
  await using origin = await Origin.start(options);
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [{ name: "shop", port: 80 }] }),
    policy("shop", { retry: { attempts: 0 }, ...spec }),
  ]);
  await use(proxy.url(), origin);
}

Deno.test("maxConnections bounds connections, maxPending those who wait for one", async () => {
  let most = 0;
  const held: (() => void)[] = [];
  const circuitBreaker = { maxConnections: 2, maxPending: 1 };
  await withPolicy(
    {
      answer: () => ({ after: new Promise<void>((resolve) => held.push(resolve)) }),
    },
    { circuitBreaker },
    async (url, origin) => {
      const two = [http(url), http(url)];
      await until(() => held.length === 2 ? true : null, 5000);
      const rest = [http(url), http(url), http(url)];
      // Two of three are refused at once; which, is up to the kernel.
      const refused: number[] = [];
      for (const one of rest) {
        void one.then(({ status, headers }) => {
          if (headers["denim-fault"] === "upstream.overflow") refused.push(status);
        });
      }
      await until(() => refused.length === 2 ? true : null, 5000);
      assert.deepEqual(refused, [503, 503]);
      most = Math.max(most, origin.open);
      held[0]!();
      await until(() => held.length === 3 ? true : null, 5000); // the one that waited
      most = Math.max(most, origin.open);
      for (const answer of held) answer();
      const statuses = (await Promise.all([...two, ...rest])).map(({ status }) => status);
      assert.deepEqual(statuses.sort(), [200, 200, 200, 503, 503]);
      assert.equal(most, 2);
      assert.equal(origin.connections, 2, "the one that waited got a connection that was there");
    },
  );
});

Deno.test("An idle connection is used again, and closed when it has been idle for idleTimeout", async () => {
  await withPolicy({}, { connections: { idleTimeout: "1s" } }, async (url, origin) => {
    for (let i = 0; i < 5; i++) assert.equal((await http(url)).status, 200);
    assert.deepEqual([origin.connections, origin.open], [1, 1]);
    await until(() => origin.open === 0 ? true : null, SWEPT_MS);
    assert.equal((await http(url)).status, 200);
    assert.equal(origin.connections, 2);
  });
});

Deno.test("A connection in use is replaced when it is older than maxAge, and no request fails", async () => {
  await withPolicy({}, { connections: { maxAge: "1s" } }, async (url, origin) => {
    let sent = 0;
    await until(async () => {
      assert.equal((await http(url)).status, 200);
      sent++;
      return origin.connections === 3 ? true : null;
    }, SWEPT_MS);
    assert.ok(sent > 3, `${sent} requests on three connections`);
    await until(() => origin.open <= 1 ? true : null, SWEPT_MS);
  });
});

Deno.test("warmUp opens connections before there is a request, keeps them, and opens others when they go", async () => {
  const connections = { warmUp: 3, idleTimeout: "500ms" };
  await withPolicy({}, { connections }, async (url, origin) => {
    await until(() => origin.open === 3 ? true : null, SWEPT_MS);
    assert.equal(origin.requests.length, 0);
    assert.equal((await http(url)).status, 200);
    assert.equal(origin.connections, 3, "the request found one of them");
    origin.cutAll();
    await until(() => origin.connections === 6 && origin.open === 3 ? true : null, SWEPT_MS);
    // For longer than idleTimeout and two sweeps they stay: a new one would be counted.
    await new Promise((resolve) => setTimeout(resolve, 2200));
    assert.deepEqual([origin.connections, origin.open], [6, 3]);
  });
});
