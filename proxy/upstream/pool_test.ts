import assert from "node:assert/strict";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { ClientCodec, Stream, StreamSink } from "../../core/stream.ts";
import { FRESH_ENOUGH_MS } from "./idle_memory.ts";
import { Pool, type PooledConnection } from "./pool.ts";

/** A connection that says yes to one stream at a time and records what happens to it. */
class FakeConnection implements PooledConnection {
  idleSinceMs = 0;
  slots = 1;
  readonly log: string[] = [];
  readonly pool: Pool;
  readonly codec: ClientCodec<RequestHead, ResponseHead>;

  constructor(pool: Pool) {
    this.pool = pool;
    // deno-lint-ignore no-this-alias -- the codec below needs the connection, not itself
    const connection = this;
    this.codec = {
      protocol: "h1",
      phase: 0,
      get slots() {
        return connection.slots;
      },
      open: (_into: StreamSink<ResponseHead>) => {
        connection.slots = 0;
        return connection.stream();
      },
      receive() {},
      eof() {},
      drained() {},
      drain: () => void connection.log.push("drain"),
      close() {},
    };
  }
  stream(): Stream<RequestHead> {
    const log = (text: string): void => void this.log.push(text);
    return {
      id: 1,
      feeder: null,
      info() {},
      head: (head, end) => log(`head ${head.path}${end ? " end" : ""}`),
      data: (bytes, end) => log(`data ${bytes.length}${end ? " end" : ""}`),
      trailers: () => log("trailers"),
      abort: (fault) => log(`abort ${fault.code}`),
      pause: () => log("pause"),
      resume: () => log("resume"),
      cancel: (fault) => log(`cancel ${fault.code}`),
    };
  }
  taken(): void {
    this.log.push("taken");
  }
  fail(fault: Fault): void {
    this.log.push(`fail ${fault.code}`);
  }
  /** The stream ended and the connection lives on. */
  finish(): void {
    this.slots = 1;
    this.pool.released(this);
  }
}

class Into implements StreamSink<ResponseHead> {
  readonly log: string[] = [];
  info(): void {}
  head(): void {}
  data(): void {}
  trailers(): void {}
  abort(fault: Fault): void {
    this.log.push(`abort ${fault.code}`);
  }
  closed(): void {
    this.log.push("closed");
  }
}

function rig(maxConnections = 2, maxPending = 1) {
  let now = 0;
  const made: FakeConnection[] = [];
  const limits = { maxConnections, maxPending, idleTimeoutMs: 1000 };
  const dial = (p: Pool): FakeConnection => {
    const connection = new FakeConnection(p);
    made.push(connection);
    return connection;
  };
  const pool = new Pool(limits, dial, () => now);
  return { pool, made, pass: (ms: number) => void (now += ms) };
}

const head: RequestHead = {
  method: "GET",
  scheme: "http",
  authority: "a",
  path: "/p",
  fields: new Fields(),
};

Deno.test("Pool reuses an idle connection and dials when there is none", () => {
  const { pool, made } = rig();
  pool.open(new Into(), true);
  pool.open(new Into(), true);
  assert.equal(made.length, 2);
  made[0]!.finish();
  pool.open(new Into(), true);
  assert.equal(made.length, 2);
  assert.deepEqual(made[0]!.log, ["taken"]);
});

Deno.test("Pool keeps a request that must not run twice off a connection that was idle for long", () => {
  const { pool, made, pass } = rig();
  pool.open(new Into(), true);
  made[0]!.finish();
  pass(FRESH_ENOUGH_MS + 1);
  pool.open(new Into(), false);
  assert.equal(made.length, 2);
  pool.open(new Into(), true);
  assert.equal(made.length, 2, "a repeatable one takes it");
});

Deno.test("Pool makes room when all its connections are idle and none is fresh enough", () => {
  const { pool, made, pass } = rig(1, 0);
  pool.open(new Into(), true);
  made[0]!.finish();
  pass(FRESH_ENOUGH_MS + 1);
  const stream = pool.open(new Into(), false);
  stream.head({ ...head, method: "POST" }, true);
  assert.deepEqual(made[0]!.log, ["fail proxy.stopped"]);
  pool.gone(made[0]!);
  assert.deepEqual(made[1]!.log, ["head /p end"]);
});

Deno.test("Pool learns from a peer that closes idle connections early", () => {
  const { pool, made, pass } = rig();
  pool.open(new Into(), true);
  made[0]!.finish();
  pass(40);
  pool.gone(made[0]!);
  pool.open(new Into(), true);
  made[1]!.finish();
  pass(19);
  pool.open(new Into(), false);
  assert.equal(made.length, 2, "half of 40 ms is fresh enough");
  made[1]!.finish();
  pass(21);
  pool.open(new Into(), false);
  assert.equal(made.length, 3);
});

Deno.test("Pool learns nothing from connections it closed itself", () => {
  const { pool, made, pass } = rig();
  pool.open(new Into(), true);
  made[0]!.finish();
  pool.renew();
  pool.gone(made[0]!);
  pool.open(new Into(), true);
  made[1]!.finish();
  pass(400);
  pool.open(new Into(), false);
  assert.equal(made.length, 2);
});

Deno.test("Pool queues at its connection limit and serves the queue in order", () => {
  const { pool, made } = rig(1, 2);
  pool.open(new Into(), true);
  const second = pool.open(new Into(), true);
  second.head({ ...head, path: "/second" }, false);
  second.data(new Uint8Array(3), true);
  const third = pool.open(new Into(), true);
  third.head({ ...head, path: "/third" }, true);
  assert.equal(pool.waiting, 2);
  made[0]!.finish();
  assert.deepEqual(made[0]!.log, ["head /second", "data 3 end", "taken"]);
  made[0]!.finish();
  assert.deepEqual(made[0]!.log.slice(3), ["head /third end", "taken"]);
  assert.equal(made.length, 1);
});

Deno.test("Pool refuses a request over maxPending, later and never synchronously", async () => {
  const { pool } = rig(1, 0);
  pool.open(new Into(), true);
  const into = new Into();
  pool.open(into, true);
  assert.deepEqual(into.log, []);
  await Promise.resolve();
  assert.deepEqual(into.log, ["abort upstream.overflow", "closed"]);
});

Deno.test("Pool passes over a queued request that was cancelled", async () => {
  const { pool, made } = rig(1, 2);
  pool.open(new Into(), true);
  const into = new Into();
  pool.open(into, true).cancel(FAULTS["downstream.gone"]);
  const next = pool.open(new Into(), true);
  next.head(head, true);
  made[0]!.finish();
  await Promise.resolve();
  assert.deepEqual(into.log, ["closed"]);
  assert.deepEqual(made[0]!.log, ["head /p end", "taken"]);
});

Deno.test("Pool holds back the sender of a queued body after one chunk", () => {
  const { pool, made } = rig(1, 1);
  pool.open(new Into(), true);
  const stream = pool.open(new Into(), true);
  const feeder: string[] = [];
  stream.feeder = {
    pause: () => void feeder.push("pause"),
    resume: () => void feeder.push("resume"),
    cancel() {},
  };
  stream.head(head, false);
  stream.data(new Uint8Array(10), false);
  stream.data(new Uint8Array(10), false);
  assert.deepEqual(feeder, ["pause"]);
  made[0]!.finish();
  assert.deepEqual(feeder, ["pause", "resume"]);
});

Deno.test("Pool dials for a waiting request when a connection has gone", () => {
  const { pool, made } = rig(1, 1);
  pool.open(new Into(), true);
  pool.open(new Into(), true).head(head, true);
  pool.gone(made[0]!);
  assert.equal(made.length, 2);
  assert.deepEqual(made[1]!.log, ["head /p end"]);
});

Deno.test("Pool drains what was idle for longer than its limit, oldest first", () => {
  const { pool, made, pass } = rig();
  pool.open(new Into(), true);
  pool.open(new Into(), true);
  made[0]!.finish();
  pass(800);
  made[1]!.finish();
  pass(300);
  pool.sweep();
  assert.deepEqual(made[0]!.log, ["drain"]);
  assert.deepEqual(made[1]!.log, []);
  assert.equal(pool.idle, 1);
});

Deno.test("Pool that was drained gives a finished connection back to nobody", () => {
  const { pool, made } = rig();
  pool.open(new Into(), true);
  pool.drain();
  made[0]!.finish();
  assert.equal(pool.idle, 0);
  assert.ok(made[0]!.log.includes("drain"));
});

function aging(limits: { maxAgeMs?: number; warmUp?: number }, random = 0) {
  let now = 0;
  const made: FakeConnection[] = [];
  const dial = (p: Pool): FakeConnection => {
    const connection = new FakeConnection(p);
    made.push(connection);
    return connection;
  };
  const all = { maxConnections: 4, maxPending: 1, idleTimeoutMs: 1000, ...limits };
  const pool = new Pool(all, dial, () => now, () => random);
  return { pool, made, pass: (ms: number) => void (now += ms) };
}

Deno.test("Pool ends a connection that is too old after its request, and lends none out", () => {
  const { pool, made, pass } = aging({ maxAgeMs: 10_000 });
  pool.open(new Into(), true);
  pool.open(new Into(), true);
  made[1]!.finish();
  pass(10_000);
  made[0]!.finish();
  assert.deepEqual(made[0]!.log, ["drain"]);
  pool.open(new Into(), true);
  assert.deepEqual(made[1]!.log, ["drain"]);
  assert.equal(made.length, 3);
});

Deno.test("Pool spreads the ends of connections over a fifth of their age", () => {
  const { pool, made, pass } = aging({ maxAgeMs: 10_000 }, 0.999);
  pool.open(new Into(), true);
  pass(7_999);
  made[0]!.finish();
  assert.deepEqual(made[0]!.log, []);
  pass(10);
  pool.sweep();
  assert.deepEqual(made[0]!.log, ["drain"]);
});

Deno.test("Pool opens connections ahead of requests and keeps them though idle", () => {
  const { pool, made, pass } = aging({ warmUp: 2 });
  pool.sweep();
  assert.equal(made.length, 2);
  for (const connection of made) pool.released(connection); // connected
  assert.equal(pool.idle, 2);
  pass(5000);
  pool.sweep();
  assert.equal(made.length, 2);
  assert.deepEqual(made.map(({ log }) => log), [[], []]);
  pool.gone(made[0]!);
  pool.sweep();
  assert.equal(made.length, 3);
  pool.drain();
  pool.sweep();
  assert.equal(made.length, 3);
});
