/**
 * Differential: whatever our codecs accept and forward, Node's parser (llhttp) must read as the same
 * messages. A difference would be a request, or a response, smuggled past the proxy.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Sink, StreamSink } from "../../core/stream.ts";
import { H1Client, H1Server } from "../../proxy/h1/mod.ts";
import { bytesOf, clientRig, MemoryWire, serverRig, textOf } from "../../proxy/h1/rig.ts";
import { REQUESTS, RESPONSES } from "../conformance/h1/cases.ts";
import { NodeOracle } from "../conformance/h1/node_oracle.ts";
import { NodeOrigins } from "../conformance/h1/node_origins.ts";
import { damaged } from "./h1_mutations.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = { seed, numRuns: Number(Deno.env.get("RUNS") ?? 200) };

/** Copies a message into the stream it is forwarded on, and notes what it was. */
class Forwarder<H extends RequestHead | ResponseHead> implements StreamSink<H> {
  heads: H[] = [];
  lines: string[] = [];
  body = "";
  ended = false;
  aborted = false;
  readonly #to: Sink<H>;
  readonly #whole: () => void;

  constructor(to: Sink<H>, whole: () => void) {
    this.#to = to;
    this.#whole = whole;
  }
  info(head: H): void {
    this.#to.info(head);
  }
  head(head: H, end: boolean): void {
    this.heads.push(head);
    const { lines } = head.fields;
    for (let i = 0; i < lines.length; i += 2) {
      if (!["content-length", "te", "trailer"].includes(lines[i]!)) {
        this.lines.push(lines[i]!, lines[i + 1]!);
      }
    }
    this.#to.head(head, end);
    this.#end(end);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.body += textOf(bytes);
    this.#to.data(bytes, end);
    this.#end(end);
  }
  trailers(fields: Fields): void {
    this.#to.trailers(fields);
    this.#end(true);
  }
  abort(): void {
    this.aborted = true;
  }
  closed(): void {}
  #end(end: boolean): void {
    if (!end) return;
    this.ended = true;
    this.#whole();
  }
}

const IGNORE: StreamSink<ResponseHead> = {
  info() {},
  head() {},
  data() {},
  trailers() {},
  abort() {},
  closed() {},
};

/** The requests that leave a proxy which is fed `raw`, behind one another. */
function forwardRequests(raw: string): { bytes: string; seen: unknown[]; methods: string[] } {
  const all: { sink: Forwarder<RequestHead>; wire: MemoryWire }[] = [];
  const server = new H1Server(new MemoryWire(), (down) => {
    const wire = new MemoryWire();
    const up = new H1Client(wire).open(IGNORE);
    const sink = new Forwarder<RequestHead>(
      up,
      () => down.head({ status: 204, fields: new Fields() }, true),
    );
    all.push({ sink, wire });
    return sink;
  }, { scheme: "http" });
  server.receive(bytesOf(raw));
  const whole = all.filter(({ sink }) => sink.ended);
  const seen = whole.map(({ sink: { heads, lines, body, ended } }) => {
    const { method, path } = heads[0]!;
    return { method, url: path, fields: lines, body, ended };
  });
  const bytes = whole.map(({ wire }) => wire.written).join("");
  return { bytes, seen, methods: whole.map(({ sink }) => sink.heads[0]!.method) };
}

/** The response that leaves a proxy whose upstream sends `raw` and then closes. */
function forwardResponse(
  raw: string,
  method: string,
): { bytes: string; seen: unknown; end: boolean } {
  const down = serverRig();
  down.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
  const { client } = clientRig();
  const sink = new Forwarder<ResponseHead>(down.exchanges[0]!.stream, () => {});
  client.open(sink).head(
    { method, scheme: "http", authority: "a", path: "/", fields: new Fields() },
    true,
  );
  client.receive(bytesOf(raw));
  client.eof();
  const head = sink.heads[0];
  const seen = head === undefined || sink.aborted
    ? null
    : { status: head.status, fields: sink.lines, body: sink.body, ended: sink.ended };
  return { bytes: down.wire.written, seen, end: down.wire.ended };
}

const methods = await NodeOrigins.methods();
if (methods === null) console.log("differential skipped: no `node` on the PATH to compare with");
else console.log(`property/h1_differential: SEED=${seed}`);

Deno.test({
  name: "Node's parser reads the requests we forward as the ones we meant",
  ignore: methods === null,
  async fn() {
    await using oracle = new NodeOracle();
    let compared = 0;
    const check = async (raw: string): Promise<void> => {
      const { bytes, seen, methods: used } = forwardRequests(raw);
      if (seen.length === 0 || !used.every((method) => methods!.has(method))) return;
      assert.deepEqual(await oracle.ask({ role: "request", raw: bytes }), seen);
      compared++;
    };
    const rows = REQUESTS.map((row) => ({ raw: row.raw, passes: row.refused === undefined }));
    for (const row of rows) await check(row.raw);
    await fc.assert(fc.asyncProperty(damaged(rows, 3), check), RUNS);
    console.log(`compared ${compared} streams of requests`);
    assert.ok(compared > 50, "hardly anything was accepted: the comparison proves nothing");
  },
});

Deno.test({
  name: "Node's parser reads the responses we forward as the ones we meant",
  ignore: methods === null,
  async fn() {
    await using oracle = new NodeOracle();
    let compared = 0;
    const check = async (raw: string, method: string): Promise<void> => {
      const { bytes, seen, end } = forwardResponse(raw, method);
      if (seen === null) return;
      assert.deepEqual(await oracle.ask({ role: "response", raw: bytes, method, end }), seen);
      compared++;
    };
    const rows = RESPONSES.map((row) => ({ raw: row.raw, passes: row.fault === undefined }));
    for (const row of rows) await check(row.raw, "GET");
    await fc.assert(
      fc.asyncProperty(damaged(rows, 1), fc.constantFrom("GET", "HEAD", "POST"), check),
      RUNS,
    );
    console.log(`compared ${compared} responses`);
    assert.ok(compared > 50, "hardly anything was accepted: the comparison proves nothing");
  },
});
