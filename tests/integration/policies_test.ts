/** Built-in policies seen from outside: a standalone proxy process, real origins that fail on demand. */
import assert from "node:assert/strict";
import { Origin } from "../support/origin.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../support/standalone.ts";

const OFF = { retry: { attempts: 0 }, outlierDetection: { consecutive5xx: 0 } };

/** Sends a request and reads the answer to its end. */
async function send(
  url: string,
  init: RequestInit = {},
): Promise<{ status: number; body: string; fault: string | null; headers: Headers }> {
  const response = await fetch(url, { redirect: "manual", ...init });
  const body = await response.text();
  const { status, headers } = response;
  return { status, body, fault: headers.get("denim-fault"), headers };
}

/** Repeats `attempt` until it says true; fails after five seconds. */
async function until(what: string, attempt: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (performance.now() < deadline) {
    if (await attempt()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`${what} did not happen within five seconds`);
}

function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

const backend = (name: string, weight?: number): Record<string, unknown> => ({
  name,
  port: 80,
  ...(weight === undefined ? {} : { weight }),
});

Deno.test("Retry hides an origin that fails every second request", async () => {
  await using origin = await Origin.start({
    answer: (_request, nth) => ({ status: nth % 2 === 1 ? 503 : 200 }),
  });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", {
      retry: { attempts: 1, codes: [503], budget: { percent: 100, minRetriesPerSecond: 1000 } },
      outlierDetection: { consecutive5xx: 0 },
    }),
  ]);
  for (let i = 0; i < 20; i++) assert.equal((await send(proxy.url())).status, 200);
  assert.equal(origin.requests.length, 40);
  const retried = 'denim_retries_total{backend="default/shop:80",result="retried"}';
  assert.equal(await proxy.metric(retried), 20);
});

Deno.test("Retry does not repeat a POST that the origin has answered", async () => {
  await using origin = await Origin.start({ answer: () => ({ status: 503, body: "sorry" }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", { retry: { attempts: 3, codes: [503] } }),
  ]);
  const answer = await send(proxy.url(), { method: "POST", body: "order" });
  assert.deepEqual([answer.status, answer.body], [503, "sorry"]);
  assert.deepEqual(origin.requests.map((request) => request.body), ["order"]);
});

Deno.test("A retry sends the request body again, whole", async () => {
  await using origin = await Origin.start({
    answer: (_request, nth) => nth === 1 ? { cut: true } : {},
  });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", { retry: { attempts: 2 } }),
  ]);
  const body = "x".repeat(50_000);
  assert.equal((await send(proxy.url(), { method: "PUT", body })).status, 200);
  assert.deepEqual(origin.requests.map((request) => request.body.length), [50_000, 50_000]);
});

Deno.test("The retry budget keeps a failing origin from getting many times its load", async () => {
  await using origin = await Origin.start({ answer: () => ({ status: 503 }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", {
      retry: {
        attempts: 3,
        codes: [503],
        backoff: "0s",
        budget: { percent: 20, minRetriesPerSecond: 0 },
      },
      outlierDetection: { consecutive5xx: 0 },
    }),
  ]);
  for (let i = 0; i < 100; i++) assert.equal((await send(proxy.url())).status, 503);
  const extra = origin.requests.length - 100;
  assert.ok(extra >= 15 && extra <= 20, `${extra} retries for 100 requests, want at most 20`);
  const over = 'denim_retries_total{backend="default/shop:80",result="over_budget"}';
  assert.ok(await proxy.metric(over) >= 80);
});

Deno.test("A dead endpoint beside a living one costs no request, not even a POST", async () => {
  await using origin = await Origin.start();
  const dead = await Origin.start();
  const deadAddress = dead.address;
  await dead[Symbol.asyncDispose]();
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", deadAddress, origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", { loadBalancer: { algorithm: "round_robin" }, retry: { attempts: 1 } }),
  ]);
  for (let i = 0; i < 40; i++) {
    const answer = await send(proxy.url(), { method: "POST", body: String(i) });
    assert.equal(answer.status, 200, `request ${i}: ${answer.body}`);
  }
  assert.equal(origin.requests.length, 40);
});

Deno.test("timeouts.request answers 504 when the origin is silent", async () => {
  await using origin = await Origin.start({ answer: () => ({ afterMs: 4000 }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")], timeouts: { request: "200ms" } }),
  ]);
  const began = performance.now();
  const answer = await send(proxy.url());
  const tookMs = performance.now() - began;
  assert.deepEqual([answer.status, answer.fault], [504, "timeout.request"]);
  assert.ok(tookMs >= 199 && tookMs < 2000, `it took ${tookMs} ms`);
});

Deno.test("timeouts.request cuts a response that stalls half-way", async () => {
  await using origin = await Origin.start({ answer: () => ({ body: "half", stall: true }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")], timeouts: { request: "300ms" } }),
  ]);
  const response = await fetch(proxy.url());
  assert.equal(response.status, 200);
  await assert.rejects(response.text());
});

Deno.test("timeouts.backendRequest ends one attempt and retry makes another", async () => {
  await using origin = await Origin.start({
    answer: (_request, nth) => nth === 1 ? { afterMs: 4000 } : { body: "second" },
  });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", {
      backendRefs: [backend("shop")],
      timeouts: { request: "3s", backendRequest: "200ms" },
    }),
    policy("shop", { retry: { attempts: 1, on: ["timeout"] } }),
  ]);
  const began = performance.now();
  const answer = await send(proxy.url());
  assert.deepEqual([answer.status, answer.body], [200, "second"]);
  assert.ok(performance.now() - began < 2500);
});

Deno.test("timeouts.backendRequest does not count the wait before a retry", async () => {
  await using origin = await Origin.start({
    answer: (_request, nth) => nth === 1 ? { status: 503 } : { afterMs: 150, body: "second" },
  });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", {
      backendRefs: [backend("shop")],
      timeouts: { backendRequest: "350ms" },
      retry: { attempts: 1, codes: [503], backoff: "300ms" },
    }),
  ]);
  assert.equal((await send(proxy.url())).body, "second");
});

Deno.test("The breaker opens on failures, spares the origin, and closes when it works again", async () => {
  let status = 503;
  await using origin = await Origin.start({ answer: () => ({ status }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", { ...OFF, circuitBreaker: { consecutiveFailures: 3, openFor: "400ms" } }),
  ]);
  for (let i = 0; i < 3; i++) assert.equal((await send(proxy.url())).fault, null);
  for (let i = 0; i < 10; i++) assert.equal((await send(proxy.url())).fault, "breaker.open");
  assert.equal(origin.requests.length, 3);
  status = 200;
  await until("a success", async () => (await send(proxy.url())).status === 200);
  for (let i = 0; i < 10; i++) assert.equal((await send(proxy.url())).status, 200);
});

Deno.test("The breaker refuses more requests in flight than it allows", async () => {
  await using origin = await Origin.start({ answer: () => ({ afterMs: 300 }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", { ...OFF, circuitBreaker: { maxRequests: 2 } }),
  ]);
  const answers = await Promise.all(Array.from({ length: 6 }, () => send(proxy.url())));
  assert.deepEqual(tally(answers.map((answer) => answer.fault ?? "served")), {
    "served": 2,
    "breaker.overflow": 4,
  });
  assert.equal((await send(proxy.url())).status, 200);
});

Deno.test("Weights split traffic as they say", async () => {
  await using v1 = await Origin.start({ answer: () => ({ body: "v1" }) });
  await using v2 = await Origin.start({ answer: () => ({ body: "v2" }) });
  await using never = await Origin.start({ answer: () => ({ body: "never" }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("v1", v1.address),
    service("v2", v2.address),
    service("never", never.address),
    route("split", {
      backendRefs: [backend("v1", 90), backend("v2", 10), backend("never", 0)],
    }),
  ]);
  const total = 1000;
  const answers: string[] = [];
  const client = async (): Promise<void> => {
    while (answers.length < total) answers.push((await send(proxy.url())).body);
  };
  await Promise.all([client(), client(), client(), client()]);
  const counts = tally(answers.slice(0, total));
  // 100 ± 4.5 standard deviations of a binomial: a false alarm once in 150,000 runs.
  assert.ok(counts.v2! > 57 && counts.v2! < 143, JSON.stringify(counts));
  assert.equal(counts.v1! + counts.v2!, total);
  assert.equal(never.requests.length, 0);
});

Deno.test("A header chooses a route, and the more specific match wins", async () => {
  await using v1 = await Origin.start({ answer: () => ({ body: "v1" }) });
  await using v2 = await Origin.start({ answer: () => ({ body: "v2" }) });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("v1", v1.address),
    service("v2", v2.address),
    route(
      "by-header",
      { backendRefs: [backend("v1")] },
      {
        matches: [{ headers: [{ name: "X-Version", value: "v2" }] }],
        backendRefs: [backend("v2")],
      },
    ),
  ]);
  const ask = async (headers: Record<string, string>) =>
    (await send(proxy.url(), { headers })).body;
  assert.equal(await ask({}), "v1");
  assert.equal(await ask({ "x-version": "v2" }), "v2");
  assert.equal(await ask({ "x-version": "v22" }), "v1");
});

Deno.test("Header modifiers, URLRewrite and RequestRedirect do what HTTPRoute says", async () => {
  await using origin = await Origin.start({
    answer: () => ({ headers: { "x-powered-by": "php", "x-keep": "1" } }),
  });
  const prefix = (value: string): unknown => [{ path: { type: "PathPrefix", value } }];
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", origin.address),
    route("shop", {
      matches: prefix("/old"),
      filters: [
        {
          type: "RequestHeaderModifier",
          requestHeaderModifier: {
            set: [{ name: "X-Set", value: "new" }],
            add: [{ name: "X-Add", value: "b" }],
            remove: ["X-Gone"],
          },
        },
        {
          type: "ResponseHeaderModifier",
          responseHeaderModifier: { remove: ["X-Powered-By"] },
        },
        {
          type: "URLRewrite",
          urlRewrite: {
            hostname: "inside.example",
            path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" },
          },
        },
      ],
      backendRefs: [backend("shop")],
    }, {
      matches: prefix("/moved"),
      filters: [{
        type: "RequestRedirect",
        requestRedirect: { scheme: "https", hostname: "shop.example", statusCode: 301 },
      }],
    }),
  ]);
  const answer = await send(`${proxy.url()}/old/item?id=7`, {
    headers: { "x-set": "old", "x-add": "a", "x-gone": "1" },
  });
  const [seen] = origin.requests;
  assert.equal(seen!.path, "/new/item?id=7");
  assert.equal(seen!.headers.host, "inside.example");
  assert.equal(seen!.headers["x-set"], "new");
  assert.equal(seen!.headers["x-add"], "a, b");
  assert.equal(seen!.headers["x-gone"], undefined);
  assert.deepEqual([answer.headers.get("x-powered-by"), answer.headers.get("x-keep")], [null, "1"]);
  const moved = await send(`${proxy.url()}/moved/a?b=c`);
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get("location"), "https://shop.example/moved/a?b=c");
});

Deno.test("An endpoint that keeps failing is left alone for a while", async () => {
  await using bad = await Origin.start({ answer: () => ({ status: 500 }) });
  await using good = await Origin.start();
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", bad.address, good.address),
    route("shop", { backendRefs: [backend("shop")] }),
    policy("shop", {
      retry: { attempts: 0 },
      loadBalancer: { algorithm: "round_robin" },
      outlierDetection: { consecutive5xx: 3, baseEjection: "30s" },
    }),
  ]);
  const statuses: number[] = [];
  for (let i = 0; i < 40; i++) statuses.push((await send(proxy.url())).status);
  assert.deepEqual(tally(statuses.map(String)), { "500": 3, "200": 37 });
});
