/** HTTP/2 from the world to a gateway: abuse is cut short, counted and told; drains lose nothing. */
import assert from "node:assert/strict";
import { GOAWAY, HEADERS, RawH2, SETTINGS } from "../support/h2.ts";
import { http } from "../support/http.ts";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

function edge(origin: Origin): unknown[] {
  return [
    gateway(),
    service("web", origin.address),
    route("web", { backendRefs: [{ name: "web", port: 80 }] }),
  ];
}

const code = (payload: Uint8Array): number => payload[7]!;

Deno.test("Rapid resets end their connection only, and metrics and log say why", async () => {
  await using origin = await Origin.start();
  await using proxy = await StandaloneProxy.start(edge(origin), [
    ...["--limit", "h2-glitches=30", "--limit", "h2-glitches-per-second=1"],
  ]);
  const place = proxy.ready.listeners["http"]!;
  const good = new RawH2(place).get(1);
  await good.frame(HEADERS, 1);
  const bad = new RawH2(place);
  for (let id = 1; id < 400; id += 2) bad.get(id).reset(id);
  const goaway = await bad.frame(GOAWAY);
  assert.equal(code(goaway.payload), 11, "ENHANCE_YOUR_CALM");
  await bad.closed;
  good.get(3);
  await good.frame(HEADERS, 3);
  assert.equal((await http(proxy.url(), { headers: { host: "web" } })).status, 200);
  const resets = await proxy.metric(
    'denim_h2_glitches_total{listener="http",glitch="reset"}',
  );
  assert.ok(resets >= 30 && resets < 200, String(resets));
  assert.equal(
    await proxy.metric(
      'denim_h2_connection_errors_total{listener="http",error="ENHANCE_YOUR_CALM"}',
    ),
    1,
  );
  good.socket.destroy();
  const lines = (await proxy.stop()).split("\n").filter((one) => one.startsWith("{"));
  const line = lines.map((one) => JSON.parse(one)).find((one) => one.msg === "h2.connection_error");
  assert.equal(line.error, "ENHANCE_YOUR_CALM");
  assert.equal(line.reason, "too many glitches, the last one reset");
  assert.match(line.glitches, /^settings 1, reset \d+$/);
  assert.match(line.remote, /^127\.0\.0\.1:\d+$/);
});

Deno.test("A gateway dates the answers of HTTP/2 that have no date, its own ones too", async () => {
  await using origin = await Origin.start();
  await using proxy = await StandaloneProxy.start(edge(origin));
  const client = new RawH2(proxy.ready.listeners["http"]!);
  const texts: string[] = [];
  for (const [id, path] of [[1, "/"], [3, "/%00"]] as const) {
    const { payload } = await client.get(id, path).frame(HEADERS, id);
    texts.push(new TextDecoder("latin1").decode(payload));
  }
  client.socket.destroy();
  for (const text of texts) assert.match(text, /\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/);
  assert.match(texts[1]!, /route\.bad_path/);
});

Deno.test("A gateway announces the limits of the edge, and those of its command line", async () => {
  await using origin = await Origin.start();
  const announced = async (flags: readonly string[]): Promise<Record<number, number>> => {
    await using proxy = await StandaloneProxy.start(edge(origin), flags);
    const client = new RawH2(proxy.ready.listeners["http"]!);
    const { payload } = await client.frame(SETTINGS);
    client.socket.destroy();
    const view = new DataView(payload.buffer);
    const found: Record<number, number> = {};
    for (let at = 0; at < payload.length; at += 6) {
      found[view.getUint16(at)] = view.getUint32(at + 2);
    }
    return found;
  };
  const MAX_CONCURRENT_STREAMS = 3, INITIAL_WINDOW_SIZE = 4;
  const standard = await announced([]);
  assert.equal(standard[MAX_CONCURRENT_STREAMS], 100);
  assert.equal(standard[INITIAL_WINDOW_SIZE], 64 * 1024);
  const other = await announced(["--limit", "h2-streams=7", "--limit", "h2-stream-window=1Mi"]);
  assert.equal(other[MAX_CONCURRENT_STREAMS], 7);
  assert.equal(other[INITIAL_WINDOW_SIZE], 1024 * 1024);
});

Deno.test("A gateway that stops says so twice, answers what was asked meanwhile, and goes", async () => {
  await using origin = await Origin.start({ answer: () => ({ afterMs: 300, body: "hello" }) });
  await using proxy = await StandaloneProxy.start(edge(origin));
  const client = new RawH2(proxy.ready.listeners["http"]!).get(1, "/before");
  while (origin.requests.length === 0) await new Promise((turn) => setTimeout(turn, 5));
  const gone = proxy.terminate();
  const first = await client.frame(GOAWAY);
  assert.deepEqual([...first.payload.subarray(0, 8)], [127, 255, 255, 255, 0, 0, 0, 0]);
  client.get(3, "/crossing"); // on its way before the client knew
  const ping = client.frames.find((one) => one.type === 6);
  client.send(6, 1, 0, ping!.payload);
  await Promise.all([client.frame(HEADERS, 1), client.frame(HEADERS, 3)]);
  await client.closed;
  assert.equal(await gone, 0);
  const last = client.frames.findLast((one) => one.type === GOAWAY)!;
  assert.deepEqual([...last.payload.subarray(0, 8)], [0, 0, 0, 3, 0, 0, 0, 0]);
  assert.deepEqual(origin.requests.map((one) => one.path).sort(), ["/before", "/crossing"]);
});
