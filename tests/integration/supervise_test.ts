/** A supervised proxy: crashes cost no connection that had not begun, replacements no request, workers share a port. */
import assert from "node:assert/strict";
import { http, Load } from "../support/http.ts";
import { until } from "../support/mesh.ts";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

function edge(origin: Origin): unknown[] {
  return [
    gateway(),
    service("web", origin.address),
    route("web", { backendRefs: [{ name: "web", port: 80 }] }),
  ];
}

interface Supervised {
  readonly workers: readonly { worker: number; pid: number }[];
}

function workersOf(proxy: StandaloneProxy): readonly { worker: number; pid: number }[] {
  return (proxy.ready as unknown as Supervised).workers;
}

function crashes(proxy: StandaloneProxy, worker = 0): Promise<number> {
  return proxy.metric(`denim_worker_crashes_total{worker="${worker}"}`);
}

Deno.test("A worker killed -9 is started again at once, and no new connection is refused meanwhile", async () => {
  await using origin = await Origin.start();
  await using proxy = await StandaloneProxy.start(edge(origin), ["--supervise"]);
  assert.equal((await http(proxy.url())).status, 200);
  const [{ pid } = { pid: 0 }] = workersOf(proxy);
  Deno.kill(pid, "SIGKILL");
  // Connections of their own, again and again: each waits at most until the next worker accepts.
  const waits: number[] = [];
  const giveUpAt = performance.now() + 5000;
  while (performance.now() < giveUpAt && (await crashes(proxy) < 1 || waits.length < 20)) {
    const startedMs = performance.now();
    const answered = await http(proxy.url()).then(({ status }) => status, String);
    // The one that the dying process had already accepted may be cut; refused none may be.
    if (answered !== 200) assert.match(String(answered), /ECONNRESET|hang up/);
    waits.push(performance.now() - startedMs);
  }
  assert.equal(await crashes(proxy), 1);
  const longest = Math.max(...waits);
  console.log(`    longest wait over the crash: ${Math.round(longest)} ms`);
  assert.ok(longest < 5000, `a request waited ${longest} ms`);
  assert.equal((await http(proxy.url())).status, 200);
});

Deno.test("SIGHUP replaces the worker by a new process under load and fails no request", async () => {
  await using origin = await Origin.start({ answer: () => ({ afterMs: 2 }) });
  await using proxy = await StandaloneProxy.start(edge(origin), ["--supervise"]);
  const kept = new Load({ url: proxy.url(), workers: 8 });
  const fresh = freshConnections(proxy.url());
  for (let n = 1; n <= 3; n++) {
    Deno.kill(proxy.ready.pid, "SIGHUP");
    const series = 'denim_worker_replacements_total{worker="0"}';
    // The first replacement of all was made at the start, to hold the Gateway's port.
    await until(async () => await proxy.metric(series) >= n + 1 ? true : null, 5000);
    await kept.more(50);
  }
  assert.deepEqual((await kept.stop()).failures, []);
  const { failures, requests } = await fresh.stop();
  assert.deepEqual(failures, []);
  assert.ok(requests >= 10, `only ${requests} fresh connections`);
  assert.equal(await crashes(proxy), 0);
});

Deno.test("Two workers share one port, both serve, and one's crash leaves the other serving", async () => {
  await using origin = await Origin.start();
  await using proxy = await StandaloneProxy.start(edge(origin), ["--workers", "2"]);
  const workers = workersOf(proxy);
  assert.equal(workers.length, 2);
  for (let i = 0; i < 60; i++) assert.equal((await http(proxy.url())).status, 200);
  const served = (worker: number): Promise<number> =>
    proxy.metric(`denim_connections_total{worker="${worker}",listener="http"}`);
  const counts = [await served(0), await served(1)];
  assert.ok(counts[0]! >= 10 && counts[1]! >= 10, `connections ${counts}`);
  Deno.kill(workers[1]!.pid, "SIGKILL");
  for (let i = 0; i < 20; i++) {
    const answered = await http(proxy.url()).then(({ status }) => status, String);
    if (answered !== 200) assert.match(String(answered), /ECONNRESET|hang up/);
  }
  await until(async () => await crashes(proxy, 1) === 1 ? true : null, 3000);
  assert.equal(await crashes(proxy, 0), 0);
});

Deno.test("SIGTERM to the supervisor drains its workers and leaves no process", async () => {
  const arrived = Promise.withResolvers<void>();
  await using origin = await Origin.start({
    answer: () => {
      arrived.resolve();
      return { afterMs: 400 };
    },
  });
  await using proxy = await StandaloneProxy.start(edge(origin), ["--workers", "2"]);
  const running = http(proxy.url());
  await arrived.promise;
  const ended = proxy.terminate();
  assert.equal((await running).status, 200);
  assert.equal(await ended, 0);
  for (const { pid } of workersOf(proxy)) assert.throws(() => Deno.kill(pid, "SIGCONT"));
});

Deno.test("A worker whose supervisor was killed -9 ends by itself", async () => {
  await using origin = await Origin.start();
  await using proxy = await StandaloneProxy.start(edge(origin), ["--supervise"]);
  const [{ pid } = { pid: 0 }] = workersOf(proxy);
  Deno.kill(proxy.ready.pid, "SIGKILL");
  const lives = (): boolean => {
    try {
      Deno.kill(pid, "SIGCONT");
      return true;
    } catch {
      return false;
    }
  };
  await until(() => lives() ? null : true, 5000, () => `worker ${pid} still lives`);
});

/** One request after another, each on a connection of its own. */
function freshConnections(url: string): {
  stop(): Promise<{ failures: string[]; requests: number }>;
} {
  const failures: string[] = [];
  let requests = 0, running = true;
  const work = (async () => {
    while (running) {
      const answered = await http(url).then(({ status }) => String(status), String);
      if (answered !== "200") failures.push(answered);
      requests++;
    }
  })();
  return {
    async stop() {
      running = false;
      await work;
      return { failures, requests };
    },
  };
}
