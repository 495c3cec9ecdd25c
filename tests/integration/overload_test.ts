/** A proxy with more to do than its limits allow: it says so, refuses what is new, and finishes what runs. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { http } from "../support/http.ts";
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

Deno.test("Requests above the limit in flight get 503 with retry-after; the others are answered", async () => {
  await using origin = await Origin.start({ answer: () => ({ afterMs: 800 }) });
  const limit = ["--limit", "max-in-flight=20"];
  await using proxy = await StandaloneProxy.start(edge(origin.address), limit);
  assert.match(await readiness(proxy), /^200/);
  const answers = await Promise.all(Array.from({ length: 40 }, () => http(proxy.url())));
  const good = answers.filter(({ status }) => status === 200);
  const shed = answers.filter(({ status }) => status === 503);
  assert.equal(good.length, 20);
  assert.equal(shed.length, 20);
  for (const { headers, body } of shed) {
    assert.equal(headers["denim-fault"], "proxy.overloaded");
    assert.equal(headers["retry-after"], "1");
    assert.match(body, /try again/);
  }
  assert.equal(await proxy.metric("denim_requests_shed_total"), 20);
  assert.match(await readiness(proxy), /^503 not ready: overloaded: exchanges in flight/);
  await until(async () => (await readiness(proxy)).startsWith("200") ? true : null, 5000);
  assert.equal((await http(proxy.url())).status, 200);
});

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
