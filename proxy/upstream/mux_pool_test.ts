import assert from "node:assert/strict";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { BUSY, type ClientCodec, IDLE, type Stream, type StreamSink } from "../../core/stream.ts";
import { MUX_CONNECTIONS, MUX_SPREAD_AT, type MuxConnection, MuxPool } from "./mux_pool.ts";
import { MAX_AGE_MS, type RequestPool } from "./pool.ts";

const LIMITS = { maxConnections: 10, maxPending: 3, idleTimeoutMs: 1000 };

class FakeConnection implements MuxConnection {
  codec: ClientCodec<RequestHead, ResponseHead> | null = null;
  usedMs = 0;
  slots = 1000;
  readonly heads: string[] = [];
  drained = false;

  get active(): number {
    return this.heads.length;
  }
  drain(): void {
    this.drained = true;
  }
  /** The handshake is over. */
  speak(): this {
    // deno-lint-ignore no-this-alias -- the codec needs the connection, not itself
    const connection = this;
    this.codec = {
      protocol: "h2",
      get phase() {
        return connection.active > 0 ? BUSY : IDLE;
      },
      get slots() {
        return connection.slots - connection.active;
      },
      open: (_into) => streamTo((head) => connection.heads.push(head.path)),
      receive() {},
      eof() {},
      drained() {},
      drain() {},
      close() {},
    };
    return this;
  }
}

function streamTo(opened: (head: RequestHead) => void): Stream<RequestHead> {
  return {
    id: 1,
    feeder: null,
    info() {},
    head: opened,
    data() {},
    trailers() {},
    abort() {},
    pause() {},
    resume() {},
    cancel() {},
  };
}

class Into implements StreamSink<ResponseHead> {
  readonly log: string[] = [];
  info(): void {}
  head(): void {}
  data(): void {}
  trailers(): void {}
  abort(fault: Fault): void {
    this.log.push(fault.code);
  }
  closed(): void {
    this.log.push("closed");
  }
}

function rig() {
  let now = 0;
  const dialled: FakeConnection[] = [];
  const plain: string[] = [];
  const fallback: RequestPool = {
    open: (_into) => streamTo((head) => plain.push(head.path)),
    sweep() {},
    renew() {},
    drain() {},
    revive() {},
  };
  const dial = (): FakeConnection => {
    const connection = new FakeConnection();
    dialled.push(connection);
    return connection;
  };
  const pool = new MuxPool(LIMITS, dial, () => fallback, () => now);
  const ask = (path: string): Into => {
    const into = new Into();
    pool.open(into, true).head(request(path), true);
    return into;
  };
  return { pool, dialled, plain, ask, pass: (ms: number) => void (now += ms) };
}

function request(path: string): RequestHead {
  return { method: "GET", scheme: "http", authority: "a", path, fields: new Fields() };
}

Deno.test("MuxPool dials once for all who wait and serves them in order", () => {
  const { pool, dialled, ask } = rig();
  for (const path of ["/1", "/2", "/3"]) ask(path);
  assert.equal(dialled.length, 1);
  pool.ready(dialled[0]!.speak());
  assert.deepEqual(dialled[0]!.heads, ["/1", "/2", "/3"]);
  ask("/4");
  assert.equal(dialled[0]!.heads.length, 4);
});

Deno.test("MuxPool spreads over another connection when one is busy, up to its limit", () => {
  const { pool, dialled, ask } = rig();
  ask("/first");
  pool.ready(dialled[0]!.speak());
  for (let i = 0; i < MUX_SPREAD_AT; i++) ask("/more");
  assert.equal(dialled.length, 2);
  pool.ready(dialled[1]!.speak());
  for (let i = 0; i < MUX_SPREAD_AT * 3; i++) ask("/more");
  assert.equal(dialled.length, MUX_CONNECTIONS);
  const [one, two] = dialled;
  assert.ok(Math.abs(one!.active - two!.active) <= 1, "the less busy one is taken");
});

Deno.test("MuxPool dials on to the pool's own limit, one at a time, while all connections are full", () => {
  const { pool, dialled, ask } = rig();
  const take = (at: number): void => {
    dialled[at]!.slots = 2;
    pool.ready(dialled[at]!.speak());
  };
  ask("/1");
  take(0);
  ask("/2");
  for (let n = 1; n < LIMITS.maxConnections; n++) {
    for (let i = 0; i < 2; i++) ask("/more");
    assert.equal(dialled.length, n + 1);
    take(n);
  }
  ask("/waits");
  assert.equal(dialled.length, LIMITS.maxConnections);
  assert.equal(pool.waiting, 1);
});

Deno.test("MuxPool tells all who wait when the peer cannot be reached, and tries again for the next", () => {
  const { pool, dialled, ask } = rig();
  const waiting = [ask("/1"), ask("/2")];
  pool.gone(dialled[0]!, FAULTS["upstream.identity"]);
  for (const into of waiting) assert.deepEqual(into.log, ["upstream.identity", "closed"]);
  ask("/3");
  assert.equal(dialled.length, 2);
});

Deno.test("MuxPool refuses a request over maxPending, later and never synchronously", async () => {
  const { ask } = rig();
  for (let i = 0; i < LIMITS.maxPending; i++) ask("/wait");
  const over = ask("/over");
  assert.deepEqual(over.log, []);
  await Promise.resolve();
  assert.deepEqual(over.log, ["upstream.overflow", "closed"]);
});

Deno.test("MuxPool goes by HTTP/1.1 to a peer that chose it, those who waited first", () => {
  const { pool, dialled, plain, ask } = rig();
  ask("/1");
  pool.refused(dialled[0]!);
  ask("/2");
  assert.deepEqual(plain, ["/1", "/2"]);
  assert.equal(dialled.length, 1);
  pool.renew(); // an upgraded peer is asked again
  ask("/3");
  assert.equal(dialled.length, 2);
});

Deno.test("MuxPool asks a peer that chose HTTP/1.1 again when a connection would be too old", () => {
  const { pool, dialled, plain, ask, pass } = rig();
  ask("/1");
  pool.refused(dialled[0]!);
  pass(MAX_AGE_MS * 0.7);
  pool.sweep();
  ask("/2");
  assert.deepEqual([plain, dialled.length], [["/1", "/2"], 1]);
  pass(MAX_AGE_MS * 0.3);
  pool.sweep();
  ask("/3");
  pool.ready(dialled[1]!.speak());
  assert.deepEqual([plain, dialled[1]!.heads], [["/1", "/2"], ["/3"]]);
});

Deno.test("MuxPool renewed sends new requests to a new connection while the old one ends", () => {
  const { pool, dialled, ask } = rig();
  ask("/1");
  pool.ready(dialled[0]!.speak());
  pool.renew();
  assert.equal(dialled[0]!.drained, true);
  const into = ask("/2");
  assert.equal(dialled.length, 2);
  pool.gone(dialled[0]!); // the old one closes meanwhile: nobody waits for it
  assert.deepEqual(into.log, []);
  pool.ready(dialled[1]!.speak());
  assert.deepEqual(dialled[1]!.heads, ["/2"]);
});

Deno.test("MuxPool closes a connection that was idle for longer than its limit", () => {
  const { pool, dialled, ask, pass } = rig();
  ask("/1");
  pool.ready(dialled[0]!.speak());
  dialled[0]!.heads.length = 0;
  pass(900);
  pool.sweep();
  assert.equal(dialled[0]!.drained, false);
  pass(200);
  pool.sweep();
  assert.equal(dialled[0]!.drained, true);
});

Deno.test("MuxPool replaces a connection that is too old once the next one is there", () => {
  let now = 0;
  const dialled: FakeConnection[] = [];
  const dial = (): FakeConnection => {
    const connection = new FakeConnection();
    dialled.push(connection);
    return connection;
  };
  const none = (): RequestPool => {
    throw new Error("no fall-back is wanted");
  };
  const limits = { ...LIMITS, maxAgeMs: 10_000, warmUp: 1 };
  const pool = new MuxPool(limits, dial, none, () => now, () => 0);
  pool.sweep(); // warms up
  assert.equal(dialled.length, 1);
  pool.ready(dialled[0]!.speak());
  now = 9_999;
  pool.sweep(); // idle, but warm
  assert.equal(dialled[0]!.drained, false);
  now = 10_000;
  pool.sweep();
  pool.sweep();
  assert.equal(dialled.length, 2);
  pool.open(new Into(), true).head(request("/meanwhile"), true);
  assert.deepEqual(dialled[0]!.heads, ["/meanwhile"]);
  pool.ready(dialled[1]!.speak());
  assert.equal(dialled[0]!.drained, true);
  pool.open(new Into(), true).head(request("/after"), true);
  assert.deepEqual(dialled[1]!.heads, ["/after"]);
});
