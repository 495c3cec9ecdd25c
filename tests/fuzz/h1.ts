/** Throws mutated messages at the HTTP/1.1 codecs: nothing may throw, and every split must give the same events. */
import { Fields } from "../../core/fields.ts";
import { bytesOf, clientRig, serverRig } from "../../proxy/h1/rig.ts";
import { REQUESTS, RESPONSES } from "../conformance/h1/cases.ts";
import { pick, type Random, same, split, type Target } from "./target.ts";

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

function mutate(text: string, random: Random): string {
  for (let n = random(5); n > 0; n--) {
    const at = random(text.length + 1);
    const cut = random(4) === 0 ? random(20) : 0;
    const kind = random(4);
    let put = "";
    if (kind === 0) put = String.fromCharCode(random(256));
    else if (kind === 1) put = pick(WORDS, random);
    else if (kind === 2) put = text.slice(at, at + random(60));
    text = text.slice(0, at) + put + text.slice(at + cut);
  }
  return text;
}

/** Pauses are taken from the input alone, so that both runs take the same. */
function server(input: readonly Uint8Array[], answers: boolean): string[] {
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
  return [...rig.exchanges.flatMap(({ sink }) => sink.events()), wire.written, ends];
}

function client(input: readonly Uint8Array[], method: string): string[] {
  const rig = clientRig();
  const request = { method, scheme: "http", authority: "a", path: "/", fields: new Fields() };
  const { stream, sink } = rig.open();
  stream.head(request, true);
  for (const bytes of input) rig.client.receive(bytes);
  const ends = `${rig.client.slots} ${rig.wire.destroyed}`;
  rig.client.eof();
  rig.client.close(null);
  return [...sink.events(), ends];
}

let heads = 0;

export const target: Target = {
  generate(random) {
    const first = pick(random(2) === 0 ? REQUESTS : RESPONSES, random).raw;
    const more = random(3) === 0 ? mutate(pick(REQUESTS, random).raw, random) : "";
    return bytesOf(mutate(first, random) + more);
  },
  attempt(input, random) {
    const cut = split(input, random);
    const answers = random(4) > 0;
    const served = server([input], answers);
    same("server: a split changes the events", server(cut, answers), served);
    const method = random(4) === 0 ? "HEAD" : "GET";
    const read = client([input], method);
    same("client: a split changes the events", client(cut, method), read);
    if (served.concat(read).some((line) => line.startsWith("head "))) heads++;
  },
  shallow: (runs) => heads * 10 < runs ? `a head came out of ${heads} inputs of ${runs}` : null,
};
