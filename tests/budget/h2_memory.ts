/** Measures, in a process that can collect at will, what HTTP/2 connections keep. Prints one JSON line. */
import process from "node:process";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream, StreamSink, Wire } from "../../core/stream.ts";
import { H2Client } from "../../proxy/h2/client.ts";
import type { H2Connection } from "../../proxy/h2/connection.ts";
import { H2Server } from "../../proxy/h2/server.ts";
import { rewind, slab } from "../../proxy/slab.ts";

const CONNECTIONS = 500;
const EXCHANGES = 10_000;

const { gc } = globalThis as unknown as { gc: () => void };
function heapBytes(): number {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage(); // objects, and what arrays hold beside the heap
  return heapUsed + external;
}

/** Delivers to the other end once the writer has returned. */
class Loop implements Wire {
  to!: H2Connection;
  #queued: Uint8Array[] = [];
  write(bytes: Uint8Array): boolean {
    this.#queued.push(bytes.slice());
    return true;
  }
  wrote(from: number, to: number): boolean {
    return this.write(slab.bytes.slice(from, to));
  }
  text(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  deliver(): boolean {
    const [first, ...more] = this.#queued;
    if (first === undefined) return false;
    this.#queued = more;
    this.to.receive(first);
    return true;
  }
}

/** Answers 200 with a small body. */
class Answer implements StreamSink<RequestHead> {
  readonly #stream: Stream<ResponseHead>;
  constructor(stream: Stream<ResponseHead>) {
    this.#stream = stream;
  }
  info(): void {}
  head(): void {
    this.#stream.head({ status: 200, fields: new Fields(["content-type", "text/plain"]) }, false);
    this.#stream.data(new Uint8Array(10), true);
  }
  data(): void {}
  trailers(): void {}
  abort(): void {}
  closed(): void {}
}

const IGNORE: StreamSink<ResponseHead> = {
  info() {},
  head() {},
  data() {},
  trailers() {},
  abort() {},
  closed() {},
};

class Pair {
  readonly #up = new Loop();
  readonly #down = new Loop();
  readonly #client: H2Client;

  constructor() {
    const options = { nowMs: () => performance.now(), limits: { glitches: 1e9 } };
    const server = new H2Server(
      this.#down,
      (stream) => new Answer(stream as Stream<ResponseHead>),
      options,
    );
    this.#client = new H2Client(this.#up, options);
    this.#up.to = server;
    this.#down.to = this.#client;
    this.#rest();
  }
  /** `nth` makes each request another one: its path, a field's name and a value. */
  exchange(nth: number): void {
    const stream = this.#client.open(IGNORE);
    const fields = new Fields([`x-${nth}`, "a", "x-same", `value ${nth}`, "accept", "*/*"]);
    const head = { method: "GET", scheme: "http", authority: "a.test", path: `/${nth}`, fields };
    stream.head(head, true);
    if (nth % 7 === 0) {
      stream.cancel({ code: "x", source: "proxy", status: 0, sent: true, detail: "" });
    }
    this.#rest();
  }
  #rest(): void {
    while (this.#up.deliver() || this.#down.deliver());
    rewind(); // as connections do when all has left
  }
}

new Pair().exchange(1); // what is loaded and compiled once is not a connection's
const before = heapBytes();
const pairs = Array.from({ length: CONNECTIONS }, () => {
  const pair = new Pair();
  for (let n = 1; n < 10; n++) pair.exchange(n);
  return pair;
});
const idleBytes = (heapBytes() - before) / CONNECTIONS;

const busy = pairs[0]!;
for (let n = 0; n < EXCHANGES; n++) busy.exchange(n);
const warm = heapBytes();
for (let n = 0; n < EXCHANGES * 3; n++) busy.exchange(EXCHANGES + n);
const grownBytes = heapBytes() - warm;
console.log(JSON.stringify({ idleBytes: Math.round(idleBytes), grownBytes, pairs: pairs.length }));
