/**
 * Differential: whatever our server codec accepts and our client codec forwards, Node's parser (llhttp)
 * must read as the same requests. A difference would be a request smuggled past the proxy.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import type { StreamSink } from "../../core/stream.ts";
import { H1Client, H1Server } from "../../proxy/h1/mod.ts";
import { bytesOf, MemoryWire, textOf } from "../../proxy/h1/rig.ts";
import { REQUESTS } from "../conformance/h1/cases.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
const ORACLE = new URL("../conformance/h1/node_oracle.mjs", import.meta.url).pathname;

interface Seen {
  method: string;
  url: string;
  fields: string[];
  body: string;
  ended: boolean;
}

/** Forwards one request as the proxy does, and keeps what it was for comparison. */
class Forwarded implements StreamSink<RequestHead> {
  readonly wire = new MemoryWire();
  readonly #client = new H1Client(this.wire);
  readonly #stream = this.#client.open({
    info() {},
    head() {},
    data() {},
    trailers() {},
    abort() {},
    closed() {},
  });
  readonly seen: Seen = { method: "", url: "", fields: [], body: "", ended: false };
  whole = false;

  info(): void {}
  head(head: RequestHead, end: boolean): void {
    this.seen.method = head.method;
    this.seen.url = head.path;
    const { lines } = head.fields;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i] !== "content-length" && lines[i] !== "te") {
        this.seen.fields.push(lines[i]!, lines[i + 1]!);
      }
    }
    this.#end(end);
    this.#stream.head(head, end);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.seen.body += textOf(bytes);
    this.#end(end);
    this.#stream.data(bytes, end);
  }
  trailers(fields: Fields): void {
    this.#end(true);
    this.#stream.trailers(fields);
  }
  abort(): void {}
  closed(): void {}
  #end(end: boolean): void {
    if (end) this.whole = this.seen.ended = true;
  }
}

/** The requests that leave a proxy which is fed `raw`, in the order and on the connection they came by. */
function forward(raw: string): { bytes: string; seen: Seen[] } {
  const all: Forwarded[] = [];
  const wire = new MemoryWire();
  const server = new H1Server(wire, (stream) => {
    const sink = new Forwarded();
    all.push(sink);
    const { head, data, trailers } = sink;
    const answer = (): void => stream.head({ status: 204, fields: { lines: [] } as never }, true);
    sink.head = (h, end) => (head.call(sink, h, end), end && answer());
    sink.data = (bytes, end) => (data.call(sink, bytes, end), end && answer());
    sink.trailers = (fields) => (trailers.call(sink, fields), answer());
    return sink;
  }, { scheme: "http" });
  server.receive(bytesOf(raw));
  const whole = all.filter((one) => one.whole);
  return {
    bytes: whole.map((one) => one.wire.written).join(""),
    seen: whole.map((one) => one.seen),
  };
}

/** What llhttp refuses although RFC 9112 allows it: methods it does not know, and lengths of some of them. */
function knownToNode(seen: readonly Seen[], methods: ReadonlySet<string>): boolean {
  return seen.every(({ method }) => methods.has(method));
}

async function nodeMethods(): Promise<Set<string> | null> {
  try {
    const { stdout, success } = await new Deno.Command("node", {
      args: ["-p", "require('http').METHODS.join()"],
      stderr: "null",
    }).output();
    return success ? new Set(new TextDecoder().decode(stdout).trim().split(",")) : null;
  } catch {
    return null;
  }
}

const methods = await nodeMethods();
if (methods === null) console.log("differential skipped: no `node` on the PATH to compare with");

const FRAGMENTS = REQUESTS.filter((row) => row.raw.length < 2000).map((row) => row.raw);
// A stream ends at its first refusal, so those that pass come more often.
const PASSING = REQUESTS.filter((row) => row.refused === undefined && row.raw.length < 2000)
  .map((row) => row.raw);
const SPICE = [
  "\r\n",
  "\n",
  " ",
  "\t",
  ":",
  "0",
  "5",
  ",",
  ";",
  "chunked",
  "Content-Length: 1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: x\r\n",
  "\0",
  "\xff",
  "Expect: 100-continue\r\n",
  "Upgrade: h2c\r\n",
  "TE: trailers\r\n",
  "X:\r\n",
  '"',
  "\\",
  "#",
  "?",
  "//",
];
const raw = fc.tuple(
  fc.array(
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PASSING) }, fc.constantFrom(...FRAGMENTS)),
    { minLength: 1, maxLength: 3 },
  ),
  fc.array(fc.tuple(fc.nat(), fc.constantFrom(...SPICE), fc.nat(2)), { maxLength: 3 }),
).map(([parts, changes]) => {
  let text = parts.join("");
  for (const [at, put, drop] of changes) {
    const from = at % (text.length + 1);
    text = text.slice(0, from) + put + text.slice(from + drop);
  }
  return text;
});

Deno.test({
  name: "Node's parser reads what we forward as the requests we meant",
  ignore: methods === null,
  async fn() {
    console.log(`property/h1_differential: SEED=${seed}`);
    const child = new Deno.Command("node", { args: [ORACLE], stdin: "piped", stdout: "piped" })
      .spawn();
    const input = child.stdin.getWriter();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let buffered = "";
    const ask = async (text: string): Promise<unknown> => {
      await input.write(new TextEncoder().encode(JSON.stringify(text) + "\n"));
      while (!buffered.includes("\n")) {
        const { value, done } = await lines.read();
        if (done) throw new Error("the oracle has ended");
        buffered += value;
      }
      const end = buffered.indexOf("\n");
      const line = buffered.slice(0, end);
      buffered = buffered.slice(end + 1);
      return JSON.parse(line);
    };
    let compared = 0;
    const check = async (text: string): Promise<void> => {
      const { bytes, seen } = forward(text);
      if (seen.length === 0 || !knownToNode(seen, methods!)) return;
      assert.deepEqual(await ask(bytes), seen);
      compared++;
    };
    try {
      for (const row of REQUESTS) await check(row.raw);
      await fc.assert(fc.asyncProperty(raw, check), {
        seed,
        numRuns: Number(Deno.env.get("RUNS") ?? 300),
      });
      console.log(`compared ${compared} forwarded streams`);
      assert.ok(compared > 50, "hardly anything was accepted: the comparison proves nothing");
    } finally {
      await input.close();
      await lines.cancel();
      await child.status;
    }
  },
});
