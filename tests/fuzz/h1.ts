/**
 * Throws mutated messages at the HTTP/1.1 codecs for some seconds: nothing may throw, and every split must
 * give the same events. `deno run -A tests/fuzz/h1.ts [SECONDS=10] [SEED]` prints its seed and, on a
 * finding, the input as JSON.
 */
import { Fields } from "../../core/fields.ts";
import { bytesOf, clientRig, serverRig } from "../../proxy/h1/rig.ts";
import { REQUESTS, RESPONSES } from "../conformance/h1/cases.ts";

const seconds = Number(Deno.args[0] ?? 10);
const seed = Number(Deno.args[1] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`fuzz/h1: ${seconds} s, seed ${seed}`);

// A small generator of our own (mulberry32), so that a seed gives the same run everywhere.
let state = seed;
function random(below: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
function pick<T>(list: readonly T[]): T {
  return list[random(list.length)]!;
}

const WORDS = [
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "\0",
  "\x7f",
  "\xff",
  '"',
  "\\",
  "0\r\n\r\n",
  "chunked",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Host: a\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive, x\r\n",
  "Upgrade: h2c\r\n",
  "Expect: 100-continue\r\n",
  "GET / HTTP/1.1\r\n",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.0",
  "ffffffffffffffff",
  "5",
  "5;a=b\r\nhello\r\n",
];

function mutate(text: string): string {
  for (let n = random(5); n > 0; n--) {
    const at = random(text.length + 1);
    const cut = random(4) === 0 ? random(20) : 0;
    const kind = random(4);
    let put = "";
    if (kind === 0) put = String.fromCharCode(random(256));
    else if (kind === 1) put = pick(WORDS);
    else if (kind === 2) put = text.slice(at, at + random(60));
    text = text.slice(0, at) + put + text.slice(at + cut);
  }
  return text;
}

function split(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const most = 1 + random(random(2) === 0 ? 4 : 60);
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(most);
    found.push(bytes.slice(at, at + size));
    at += size;
  }
  return found;
}

/** Pauses are taken from the input alone, so that both runs take the same. */
function server(input: readonly Uint8Array[], answers: boolean): string {
  const rig = serverRig(({ stream, sink }, _head, end) => {
    const answer = (): void => {
      stream.head({ status: 200, fields: new Fields() }, false);
      stream.data(bytesOf("ok"), true);
    };
    if (end && answers) return answer();
    const { data } = sink;
    sink.data = (bytes, last) => {
      data.call(sink, bytes, last);
      stream.pause();
      stream.resume();
      if (last && answers) answer();
    };
  });
  for (const bytes of input) rig.server.receive(bytes);
  const { wire } = rig;
  const ends = `${rig.server.phase} ${wire.ended} ${wire.destroyed} ${wire.unbalanced}`;
  rig.server.eof();
  rig.server.close(null);
  return JSON.stringify([rig.exchanges.map(({ sink }) => sink.events()), wire.written, ends]);
}

function client(input: readonly Uint8Array[], method: string): string {
  const rig = clientRig();
  const log: string[][] = [];
  const request = { method, scheme: "http", authority: "a", path: "/", fields: new Fields() };
  const { stream, sink } = rig.open();
  log.push(sink.events());
  stream.head(request, true);
  for (const bytes of input) rig.client.receive(bytes);
  const ends = `${rig.client.slots} ${rig.wire.destroyed}`;
  rig.client.eof();
  rig.client.close(null);
  return JSON.stringify([log.concat([sink.events()]), ends]);
}

function attempt(text: string): void {
  const bytes = bytesOf(text);
  const cut = split(bytes);
  const answers = random(4) > 0;
  if (server([bytes], answers) !== server(cut, answers)) {
    throw new Error("server: a split changes the events");
  }
  const method = random(4) === 0 ? "HEAD" : "GET";
  if (client([bytes], method) !== client(cut, method)) {
    throw new Error("client: a split changes the events");
  }
}

const until = performance.now() + seconds * 1000;
let runs = 0;
while (performance.now() < until) {
  const text = mutate(pick(random(2) === 0 ? REQUESTS : RESPONSES).raw) +
    (random(3) === 0 ? mutate(pick(REQUESTS).raw) : "");
  try {
    attempt(text);
  } catch (e) {
    console.error(`finding after ${runs} runs:`, e);
    console.error(JSON.stringify(text));
    Deno.exit(1);
  }
  runs++;
}
console.log(`fuzz/h1: ${runs} runs, no finding`);
