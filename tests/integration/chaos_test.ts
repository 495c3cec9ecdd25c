/** Origins that misbehave at random and clients that leave: nothing may leak, every answer is accounted for. */
import assert from "node:assert/strict";
import { Origin, type OriginReply } from "../support/origin.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../support/standalone.ts";

const SEED = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
const CLIENTS = 12, REQUESTS = 150;

/** A repeatable random source: SEED= gives the same dice, though sockets still race. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function mischief(random: () => number): OriginReply {
  const dice = random();
  if (dice < 0.05) return { cut: true };
  if (dice < 0.15) return { status: 503 };
  if (dice < 0.18) return { body: "half", stall: true };
  if (dice < 0.22) return { afterMs: 600 };
  if (dice < 0.40) return { afterMs: 20 * random() };
  return { body: "x".repeat(Math.floor(random() * 40_000)) };
}

/** Sends one request, sometimes leaving early; what became of it. */
async function one(url: string, random: () => number): Promise<string> {
  const leaves = random() < 0.15;
  const method = random() < 0.3 ? "POST" : "GET";
  const signal = leaves ? AbortSignal.timeout(1 + 40 * random()) : AbortSignal.timeout(20_000);
  const body = method === "POST" ? "y".repeat(Math.floor(random() * 100_000)) : null;
  try {
    const response = await fetch(url, { method, body, signal });
    await response.arrayBuffer();
    return String(response.status);
  } catch (e) {
    if ((e as Error).name !== "TimeoutError") return "cut";
    return leaves ? "left" : "HUNG";
  }
}

Deno.test(`Nothing leaks when origins misbehave and clients leave (SEED=${SEED})`, async () => {
  const random = seeded(SEED);
  await using a = await Origin.start({ answer: () => mischief(random) });
  await using b = await Origin.start({ answer: () => mischief(random), idleMs: 30 });
  await using c = await Origin.start({ answer: () => mischief(random), closeAfterResponse: true });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", a.address, b.address, c.address),
    route("shop", {
      backendRefs: [{ name: "shop", port: 80 }],
      timeouts: { request: "1s", backendRequest: "300ms" },
    }),
    policy("shop", {
      retry: { attempts: 2, on: ["connect-failure", "reset", "status", "timeout"] },
      circuitBreaker: { maxRequests: 1000, maxConnections: 6, maxPending: 100 },
      outlierDetection: { consecutive5xx: 4, baseEjection: "50ms" },
    }),
  ]);
  const results: Record<string, number> = {};
  const client = async (): Promise<void> => {
    for (let i = 0; i < REQUESTS; i++) {
      const result = await one(proxy.url(), random);
      results[result] = (results[result] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const known = new Set(["200", "502", "503", "504", "cut", "left"]);
  const unknown = Object.keys(results).filter((result) => !known.has(result));
  assert.deepEqual(unknown, [], JSON.stringify(results));
  assert.ok(results["200"]! > CLIENTS * REQUESTS * 0.6, JSON.stringify(results));
  // Every exchange has ended: what was counted in has been counted out.
  const inFlight = 'denim_breaker_in_flight{backend="default/shop:80"}';
  for (let i = 0; i < 100 && await proxy.metric(inFlight) > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(await proxy.metric(inFlight), 0);
  // And it still works at full width: no connection slot was lost.
  a.answer = b.answer = c.answer = () => ({ afterMs: 30 });
  const statuses = await Promise.all(
    Array.from(
      { length: 18 },
      () => fetch(proxy.url()).then(async (r) => (await r.text(), r.status)),
    ),
  );
  assert.deepEqual(new Set(statuses), new Set([200]));
});
