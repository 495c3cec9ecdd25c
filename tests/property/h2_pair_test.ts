/** A client and a server codec over links that deliver when and as much as they like: every exchange arrives whole. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Codec, Source, Stream, Wire } from "../../core/stream.ts";
import { Recorder } from "../../proxy/h1/rig.ts";
import { H2Client } from "../../proxy/h2/client.ts";
import type { H2Limits } from "../../proxy/h2/limits.ts";
import { H2Server } from "../../proxy/h2/server.ts";
import { joined } from "../support/h2_frames.ts";
import { slab } from "../../proxy/slab.ts";
import { runsOf } from "../support/property.ts";

const RUNS = runsOf("h2_pair", 60);

/** One direction of a socket, full above some bytes. */
class Link implements Wire {
  from!: Codec;
  to!: Codec;
  ended = false;
  /** As written, not copied: what is written may not change afterwards. */
  #queued: Uint8Array[] = [];
  #full = false;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }
  get waiting(): number {
    return this.#queued.reduce((n, part) => n + part.length, 0);
  }
  write(bytes: Uint8Array): boolean {
    assert.ok(!this.ended, "written after the end");
    this.#queued.push(bytes);
    this.#full ||= this.waiting > this.#most;
    return !this.#full;
  }
  wrote(from: number, to: number): boolean {
    return this.write(slab.bytes.slice(from, to));
  }
  text(): boolean {
    return assert.fail("HTTP/2 writes no text");
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.ended = true;
  }
  deliver(bytes: number): void {
    const all = joined(this.#queued);
    const part = all.slice(0, bytes);
    this.#queued = part.length < all.length ? [all.slice(part.length)] : [];
    if (part.length > 0) this.to.receive(part);
    if (!this.#full || this.#queued.length > 0) return;
    this.#full = false;
    this.from.drained();
  }
}

/** A message to send: how its body is cut, and what ends it. */
interface Message {
  readonly body: readonly number[];
  readonly trailers: boolean;
}
interface Planned {
  readonly kind: "plain" | "bodiless" | "websocket" | "connect";
  readonly fields: readonly string[];
  readonly infos: number;
  readonly status: number;
  readonly up: Message;
  readonly down: Message;
}

/** Pushes a message as its feeder: stops while it is held back. */
class Feed implements Source {
  held = 0;
  began = false;
  ended = false;
  #next = 0;
  readonly #message: Message;
  readonly #tag: number;
  sent = "";

  constructor(message: Message, tag: number) {
    this.#message = message;
    this.#tag = tag;
  }
  pause(): void {
    this.held++;
  }
  resume(): void {
    this.held--;
  }
  cancel(): void {}
  /** One push; `mayEnd` false keeps the last one back. */
  step<H>(stream: Stream<H>, mayEnd: boolean): boolean {
    const { body, trailers } = this.#message;
    if (!this.began || this.ended || this.held > 0) return false;
    const last = this.#next >= body.length;
    if (last && !mayEnd) return false;
    if (last) {
      this.ended = true;
      if (trailers) stream.trailers(TRAILERS());
      else stream.data(new Uint8Array(0), true);
      return true;
    }
    const bytes = new Uint8Array(body[this.#next++]!);
    bytes.forEach((_, i) => bytes[i] = 65 + ((this.#tag + this.sent.length + i) * 7) % 57);
    this.sent += String.fromCharCode(...bytes);
    stream.data(bytes, false);
    return true;
  }
}

const TRAILERS = (): Fields => new Fields(["grpc-status", "0", "x-t", "v"]);

/** An exchange as both ends see it. */
class Both {
  readonly plan: Planned;
  readonly number: number;
  readonly answer = new Recorder<ResponseHead>();
  readonly request = new Recorder<RequestHead>();
  readonly up: Feed;
  readonly down: Feed;
  client: Stream<RequestHead> | null = null;
  server: Stream<ResponseHead> | null = null;
  clientPauses = 0;
  serverPauses = 0;
  infos = 0;

  constructor(plan: Planned, number: number) {
    this.plan = plan;
    this.number = number;
    const bare = plan.kind === "bodiless" ? { body: [], trailers: false } : plan.up;
    this.up = new Feed(this.tunnel ? { ...bare, trailers: false } : bare, number);
    this.down = new Feed(this.tunnel ? { ...plan.down, trailers: false } : plan.down, number + 500);
  }
  get tunnel(): boolean {
    return this.plan.kind === "websocket" || this.plan.kind === "connect";
  }
  get over(): boolean {
    return this.answer.events().at(-1) === "closed" && this.request.events().at(-1) === "closed";
  }

  head(): RequestHead {
    const { kind, fields } = this.plan;
    return {
      method: kind === "connect" ? "CONNECT" : kind === "websocket" ? "GET" : "POST",
      scheme: "http",
      authority: "a.test:80",
      path: kind === "connect" ? "/" : `/${this.number}`,
      fields: new Fields([...fields, "x-number", String(this.number)]),
      ...(kind === "connect" || kind === "websocket" ? { upgrade: kind } : {}),
    };
  }

  open(client: H2Client): boolean {
    if (this.client !== null || client.slots === 0) return false;
    const bare = this.plan.kind === "bodiless";
    this.client = client.open(this.answer);
    this.client.feeder = this.up;
    this.client.head(this.head(), bare);
    this.up.began = !bare && !this.tunnel;
    return true;
  }
  push(): boolean {
    if (this.client === null) return false;
    // A tunnel's bytes follow the switch.
    if (this.tunnel && this.answer.heads.length > 0) this.up.began = true;
    return this.up.step(this.client, true);
  }
  reply(): boolean {
    if (this.server === null) return false;
    if (!this.down.began && this.infos < this.plan.infos) {
      this.infos++;
      this.server.info({ status: 103, fields: new Fields(["x-info", String(this.infos)]) });
      return true;
    }
    if (!this.down.began) {
      const status = this.plan.kind === "websocket" ? 101 : this.plan.status;
      this.server.feeder = this.down;
      this.down.began = true;
      this.server.head({ status, fields: new Fields([...this.plan.fields]) }, false);
      return true;
    }
    // A whole answer before the whole request would cut the request short, as it should.
    return this.down.step(this.server, this.tunnel || this.request.log.includes("end"));
  }
  pause(client: boolean): boolean {
    const stream = client ? this.client : this.server;
    if (stream === null || (client ? this.clientPauses : this.serverPauses) > 2) return false;
    if (client) this.clientPauses++;
    else this.serverPauses++;
    stream.pause();
    return true;
  }
  resume(client: boolean): boolean {
    if ((client ? this.clientPauses : this.serverPauses) === 0) return false;
    if (client) this.clientPauses--;
    else this.serverPauses--;
    (client ? this.client : this.server)!.resume();
    return true;
  }

  check(): void {
    const { kind, fields, infos, status, up, down } = this.plan;
    const { method, path } = this.head();
    const listed = [...fields, "x-number", String(this.number)].join("|");
    const body = (text: string): string[] => text === "" ? [] : [`data ${text}`];
    const ends = (trailers: boolean): string[] =>
      trailers && !this.tunnel ? ["trailers grpc-status|0|x-t|v", "end"] : ["end"];
    assert.deepEqual(this.request.events(), [
      `head ${method} http a.test:80 ${path} ${listed}`,
      ...body(this.up.sent),
      ...(kind === "bodiless" ? ["end"] : ends(up.trailers)),
      "closed",
    ]);
    assert.deepEqual(this.answer.events(), [
      ...Array.from({ length: infos }, (_, i) => `info 103 x-info|${i + 1}`),
      `head ${kind === "websocket" ? 101 : status} ${fields.join("|")}`,
      ...body(this.down.sent),
      ...ends(down.trailers),
      "closed",
    ]);
  }
}

function cut(plan: Planned, most: number): Planned {
  const small = (message: Message): Message => ({
    ...message,
    body: message.body.map((size) => Math.min(size, most)),
  });
  return { ...plan, up: small(plan.up), down: small(plan.down) };
}

const sizes = fc.oneof(
  fc.array(fc.nat(50), { maxLength: 6 }),
  fc.array(fc.oneof(fc.nat(50), fc.nat(5000), fc.nat(40_000)), { maxLength: 6 }),
);
const message = fc.record({ body: sizes, trailers: fc.boolean() });
const planned: fc.Arbitrary<Planned> = fc.record({
  kind: fc.constantFrom("plain", "plain", "plain", "bodiless", "websocket", "connect"),
  fields: fc.array(
    fc.tuple(fc.constantFrom("accept", "x-a", "x-b"), fc.constantFrom("", "1", "y".repeat(600))),
    { maxLength: 8 },
  ).map((pairs) => pairs.flat()),
  infos: fc.nat(2),
  status: fc.constantFrom(200, 201, 206, 299),
  up: message,
  down: message,
});
const limits: fc.Arbitrary<Partial<H2Limits>> = fc.record({
  streamWindowBytes: fc.oneof(
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: 1, max: 100_000 }),
  ),
  connectionWindowBytes: fc.integer({ min: 65_535, max: 200_000 }),
  sendBufferBytes: fc.oneof(fc.nat(100), fc.nat(50_000)),
  tableBytes: fc.constantFrom(0, 100, 4096, 16_384),
  concurrentStreams: fc.integer({ min: 1, max: 8 }),
  // Window updates for tiny windows are no attack here.
  freeFrames: fc.constant(1e6),
});

Deno.test("HTTP/2 delivers every exchange whole, however links deliver and readers pause", () => {
  const exchanges = fc.array(planned, { minLength: 1, maxLength: 8 });
  const marks = fc.tuple(fc.nat(20_000), fc.nat(20_000));
  const schedule = fc.array(fc.tuple(fc.nat(9), fc.nat(7), fc.nat(70_000)), { maxLength: 300 });
  fc.assert(
    fc.property(exchanges, limits, limits, marks, schedule, (plans, ours, theirs, marks, steps) => {
      // A window of one byte and a body of a megabyte prove nothing that a hundred bytes do not.
      const most = 30 * Math.min(ours.streamWindowBytes!, theirs.streamWindowBytes!);
      const all = plans.map((plan, i) => new Both(cut(plan, most), i));
      const up = new Link(marks[0]), down = new Link(marks[1]);
      const options = { nowMs: () => 0 };
      // The server counts a stream until its reader has taken all, so only the client's own limit may bind.
      const server = new H2Server(down, (stream) => {
        // Which exchange it is shows in its head, which comes at once.
        const finder = new Recorder<RequestHead>();
        finder.head = (head, end) => {
          const one = all[Number(head.fields.get("x-number"))]!;
          one.server = stream as Stream<ResponseHead>;
          for (const name of ["head", "data", "trailers", "abort", "closed"] as const) {
            finder[name] = (one.request[name] as () => void).bind(one.request);
          }
          one.request.head(head, end);
        };
        return finder;
      }, { ...options, limits: { ...theirs, concurrentStreams: all.length } });
      const client = new H2Client(up, { ...options, limits: ours });
      up.from = client;
      down.from = server;
      up.to = server;
      down.to = client;
      // Windows below the protocol's default are known to a peer only once it has read the settings.
      const settle = (): void => {
        while (up.waiting + down.waiting > 0) {
          up.deliver(Infinity);
          down.deliver(Infinity);
        }
      };
      settle();
      const step = (what: number, which: number, bytes: number): boolean => {
        const one = all[which % all.length]!;
        switch (what) {
          case 0:
            return one.open(client);
          case 1:
          case 2:
            return one.push();
          case 3:
          case 4:
            return one.reply();
          case 5:
            return one.pause(bytes % 2 === 0);
          case 6:
            return one.resume(bytes % 2 === 0);
          case 7:
            down.deliver(bytes % 50);
            return false;
          case 8:
            up.deliver(bytes);
            return false;
          default:
            down.deliver(bytes);
            return false;
        }
      };
      for (const [what, which, bytes] of steps) step(what, which, bytes);
      // Then everybody goes on until nothing is left to do.
      for (let turns = 0;; turns++) {
        assert.ok(turns < 20_000, "the exchanges never come to an end");
        let moved = up.waiting + down.waiting > 0;
        for (let i = 0; i < all.length; i++) {
          for (const what of [0, 1, 3]) moved = step(what, i, 0) || moved;
          for (const side of [0, 1]) while (step(6, i, side)) moved = true;
        }
        up.deliver(Infinity);
        down.deliver(Infinity);
        if (!moved) break;
      }
      assert.ok(!up.ended && !down.ended, "the connection ended");
      for (const one of all) one.check();
      assert.deepEqual([client.streams.size, server.streams.size], [0, 0]);
      assert.ok(all.every(({ over, up, down }) => over && up.held === 0 && down.held === 0));
    }),
    RUNS,
  );
});
