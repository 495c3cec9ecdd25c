/** A proxy with more to do than its limits allow: it says so, refuses what is new, and finishes what runs. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type Answer, http } from "../support/http.ts";
import { until } from "../support/mesh.ts";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

function edge(address: string): unknown[] {
  return [
    gateway(),
    service("web", address),
    route("web", { backendRefs: [{ name: "web", port: 80 }] }),
  ];
}

async function readiness(proxy: StandaloneProxy): Promise<string> {
  const response = await fetch(`${proxy.ready.admin}/ready`);
  return `${response.status} ${await response.text()}`;
}

/** The lines of a log about overload, with what they say. */
function shedding(log: string): { msg: string; signal?: string; value?: number; limit?: number }[] {
  return log.split("\n").filter((line) => line.includes('"overload.')).map((line) =>
    JSON.parse(line)
  );
}

function assertShed({ status, headers, body }: Answer): void {
  assert.equal(status, 503);
  assert.equal(headers["denim-fault"], "proxy.overloaded");
  assert.equal(headers["retry-after"], "1");
  assert.match(body, /try again/);
}

const calm = (proxy: StandaloneProxy): Promise<true> =>
  until(async () => (await readiness(proxy)).startsWith("200") ? true : null, 30_000);

Deno.test("Requests above the limit in flight get 503 with retry-after; the others are answered", async () => {
  const gate = Promise.withResolvers<void>();
  await using origin = await Origin.start({ answer: () => ({ after: gate.promise }) });
  // No other signal may come first on a machine that has much to do.
  const limit = ["--limit", "max-in-flight=20", "--limit", "max-loop-lag=60s"];
  await using proxy = await StandaloneProxy.start(edge(origin.address), limit);
  assert.match(await readiness(proxy), /^200/);
  const shed: Answer[] = [];
  const asked = Array.from({ length: 40 }, async () => {
    const answer = await http(proxy.url());
    if (answer.status !== 200) shed.push(answer);
    return answer.status;
  });
  await until(() => shed.length === 20 ? true : null, 30_000);
  shed.forEach(assertShed);
  assert.equal(await proxy.metric("denim_requests_shed_total"), 20);
  assert.ok(await proxy.metric('denim_overload_percent{signal="in-flight"}') >= 100);
  assert.match(await readiness(proxy), /^503 not ready: overloaded: exchanges in flight/);
  gate.resolve();
  const good = (await Promise.all(asked)).filter((status) => status === 200);
  assert.equal(good.length, 20);
  await calm(proxy);
  assert.equal((await http(proxy.url())).status, 200);
  const [began, over] = shedding(await proxy.stop());
  assert.deepEqual([began?.signal, began?.value, began?.limit], ["exchanges in flight", 21, 20]);
  assert.equal(over?.msg, "overload.over");
});

Deno.test("A process that gets no time to run sheds until it has it again", async () => {
  await using origin = await Origin.start();
  const limit = ["--limit", "max-loop-lag=200ms"];
  await using proxy = await StandaloneProxy.start(edge(origin.address), limit);
  let starving = true;
  const starve = async (): Promise<void> => {
    while (starving) {
      Deno.kill(proxy.ready.pid, "SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 700));
      Deno.kill(proxy.ready.pid, "SIGCONT");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };
  const starved = starve();
  try {
    assertShed(
      await until(async () => {
        const answer = await http(proxy.url());
        return answer.status === 200 ? null : answer;
      }, 30_000),
    );
    assert.match(await readiness(proxy), /^503 not ready: overloaded: event loop lag \(ms\) \d+/);
    assert.equal(await proxy.metric("denim_overloaded"), 1);
  } finally {
    starving = false;
    await starved;
  }
  await calm(proxy);
  await until(async () => (await http(proxy.url())).status === 200 ? true : null, 30_000);
  const lines = shedding(await proxy.stop());
  assert.equal(lines[0]?.signal, "event loop lag (ms)");
  assert.ok(lines.some(({ msg }) => msg === "overload.over"));
});

for (
  const [limit, label, signal] of [
    ["max-rss=1Mi", "rss", "memory (bytes)"],
    ["max-heap-percent=1", "heap-percent", "heap (%)"],
  ] as const
) {
  Deno.test(`A process above its ${limit} refuses all requests and goes on telling why`, async () => {
    await using origin = await Origin.start();
    const flags = ["--limit", limit];
    await using proxy = await StandaloneProxy.start(edge(origin.address), flags);
    await until(async () => (await readiness(proxy)).startsWith("503") ? true : null, 30_000);
    assertShed(await http(proxy.url()));
    assert.ok((await readiness(proxy)).includes(`overloaded: ${signal} `));
    assert.ok(await proxy.metric(`denim_overload_percent{signal="${label}"}`) >= 100);
    assert.equal(shedding(await proxy.stop())[0]?.signal, signal);
  });
}

Deno.test("Many readers that stall: what is held for them is bounded, new requests are refused", async () => {
  await using app = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (!request.url.endsWith("/big")) return new Response("ok");
    const piece = new Uint8Array(64 * 1024);
    return new Response(new ReadableStream({ pull: (out) => out.enqueue(piece) }));
  });
  const limit = ["--limit", "max-buffered=1Mi"];
  const address = `127.0.0.1:${app.addr.port}`;
  await using proxy = await StandaloneProxy.start(edge(address), limit);
  const [host, port] = proxy.ready.listeners["http"]!.split(":");
  const before = (await (await fetch(`${proxy.ready.admin}/stats`)).json()).rssBytes as number;
  const readers = Array.from({ length: 40 }, () => {
    const socket = connect({ host: host!, port: Number(port) });
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /big HTTP/1.1\r\nhost: web\r\n\r\n");
    return socket;
  });
  try {
    await until(async () => await proxy.metric("denim_overloaded") === 1 ? true : null, 8000);
    const refused = await http(proxy.url());
    assert.equal(refused.headers["denim-fault"], "proxy.overloaded");
    const held = await proxy.metric("denim_buffered_bytes");
    assert.ok(held < 15 * 1024 * 1024, `${held} bytes are held`);
    const { rssBytes } = await (await fetch(`${proxy.ready.admin}/stats`)).json();
    assert.ok(rssBytes - before < 120 * 1024 * 1024, `grew by ${rssBytes - before} bytes`);
  } finally {
    for (const socket of readers) socket.destroy();
  }
  await until(async () => await proxy.metric("denim_overloaded") === 0 ? true : null, 8000);
  assert.equal(await proxy.metric("denim_buffered_bytes"), 0);
  assert.equal((await http(proxy.url())).status, 200);
});

Deno.test("A limit that does not exist is an error that names the right one", async () => {
  const { denim } = await import("../support/denim.ts");
  const { code, err } = await denim(["proxy", "--config", "x.yaml", "--limit", "max-inflight=3"]);
  assert.equal(code, 2);
  assert.match(err, /did you mean max-in-flight\?/);
});
