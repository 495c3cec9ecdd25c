/** A proxy stopped, and one replaced on its own ports by the next, under load: no request fails. */
import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { connect } from "node:net";
import { http, Load } from "../support/http.ts";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

/** A Gateway at a fixed port, in front of one origin. */
function edge(origin: Origin, port: number): unknown[] {
  const { apiVersion, kind, metadata } = gateway() as Record<string, unknown>;
  return [
    {
      apiVersion,
      kind,
      metadata,
      spec: { listeners: [{ name: "http", port, protocol: "HTTP" }] },
    },
    service("web", origin.address),
    route("web", { backendRefs: [{ name: "web", port: 80 }] }),
  ];
}

const SHARED = ["--reuse-port"];

Deno.test("Three rolling upgrades on one port under load fail no request", async () => {
  await using origin = await Origin.start({ answer: () => ({ afterMs: 3 }) });
  const port = freePort();
  let old = await StandaloneProxy.start(edge(origin, port), SHARED);
  const load = new Load({ url: old.url(), workers: 16 });
  try {
    for (let n = 0; n < 3; n++) {
      await load.more(100);
      const next = await StandaloneProxy.start(edge(origin, port), SHARED);
      assert.notEqual(next.ready.pid, old.ready.pid);
      assert.equal(await old.terminate(), 0);
      old = next;
    }
    await load.more(100);
    const { failures, requests } = await load.stop();
    assert.deepEqual(failures, []);
    assert.ok(requests >= 400);
    const served = await old.metric('denim_connections_total{listener="http"}');
    assert.ok(served >= 16, `the last process took ${served} connections`);
  } finally {
    await old.stop();
  }
});

Deno.test("SIGTERM lets a running request end, says that it is the last, and refuses new connections", async () => {
  const answer = Promise.withResolvers<void>();
  await using origin = await Origin.start({
    answer: () => {
      answer.resolve();
      return { afterMs: 400 };
    },
  });
  await using proxy = await StandaloneProxy.start(edge(origin, 0));
  const running = http(proxy.url());
  await answer.promise;
  const ended = proxy.terminate();
  const { status, headers } = await running;
  assert.equal(status, 200);
  assert.equal(headers.connection, "close");
  assert.equal(await ended, 0);
  await assert.rejects(http(proxy.url()), /ECONNREFUSED/);
});

Deno.test("A kept connection that rested a moment ago may bring one more request while draining", async () => {
  await using origin = await Origin.start();
  await using proxy = await StandaloneProxy.start(edge(origin, 0));
  const [host, port] = proxy.ready.listeners["http"]!.split(":");
  const socket = connect({ host: host!, port: Number(port) });
  let text = "";
  const more = (): Promise<void> => new Promise((resolve) => socket.once("data", () => resolve()));
  socket.on("data", (bytes) => text += String(bytes));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const ask = async (): Promise<void> => {
    const answered = more();
    socket.write("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    await answered;
  };
  await ask();
  assert.doesNotMatch(text, /connection: close/i);
  const ended = proxy.terminate();
  // Once new connections are refused it is draining.
  while (await http(proxy.url()).then(() => true, () => false));
  text = "";
  await ask();
  assert.match(text, /^HTTP\/1\.1 200/);
  assert.match(text, /connection: close/i);
  await closed;
  assert.equal(await ended, 0);
});
