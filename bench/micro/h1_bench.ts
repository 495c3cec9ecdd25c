/** What the HTTP/1.1 codec costs per request, without sockets: `deno bench bench/micro/h1_bench.ts`. */
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream, StreamSink } from "../../core/stream.ts";
import { H1Client, H1Server } from "../../proxy/h1/mod.ts";
import { H1_LIMITS } from "../../proxy/h1/limits.ts";
import { DONE, HeadParser, REQUEST } from "../../proxy/h1/parser.ts";
import { RequestReader } from "../../proxy/h1/request.ts";
import type { ResettableWire } from "../../proxy/tunnel.ts";

const nowhere: ResettableWire = {
  write: () => true,
  wrote: () => true,
  text: () => true,
  pause: () => {},
  resume: () => {},
  end: () => {},
  destroy: () => {},
  reset: () => {},
};

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const SMALL = bytesOf("GET /api/items/17 HTTP/1.1\r\nHost: catalog:8080\r\n\r\n");
const USUAL = bytesOf(
  "GET /api/products/1234?fields=name,price HTTP/1.1\r\nHost: catalog.default.mesh:8080\r\n" +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0\r\n" +
    "Accept: application/json, text/plain, */*\r\nAccept-Encoding: gzip, deflate, br\r\n" +
    "Accept-Language: en-GB,en;q=0.5\r\nX-Request-Id: 0f1e2d3c-aaaa-bbbb-cccc-1234567890ab\r\n" +
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n" +
    "Cookie: session=abcdef0123456789; theme=dark\r\nConnection: keep-alive\r\n\r\n",
);
const CHUNKED = bytesOf(
  "POST /upload HTTP/1.1\r\nHost: catalog:8080\r\nTransfer-Encoding: chunked\r\n\r\n" +
    `400\r\n${"x".repeat(1024)}\r\n`.repeat(8) + "0\r\n\r\n",
);
const RESPONSE = bytesOf(
  "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n" +
    "Content-Type: application/json; charset=utf-8\r\nContent-Length: 1024\r\n" +
    'Cache-Control: max-age=60\r\nETag: "33a64df551425fcc55e4d42a148795d9"\r\n\r\n' +
    "x".repeat(1024),
);
const BODY = new Uint8Array(1024);

const parser = new HeadParser(REQUEST, H1_LIMITS);
const reader = new RequestReader("http");
for (const [name, bytes] of [["2 lines", SMALL], ["10 lines", USUAL]] as const) {
  Deno.bench(`find the parts of a request head, ${name}`, { group: "head" }, () => {
    parser.feed(bytes, 0);
    if (parser.state !== DONE) throw new Error("not a head");
  });
  Deno.bench(`read a request head, ${name}`, { group: "head" }, () => {
    parser.feed(bytes, 0);
    if (reader.read(parser) === null) throw new Error("refused");
  });
}

const fields = [
  "server",
  "origin",
  "date",
  "Tue, 15 Nov 1994 08:12:31 GMT",
  "content-type",
  "application/json; charset=utf-8",
  "content-length",
  "1024",
  "cache-control",
  "max-age=60",
  "etag",
  '"33a64df551425fcc55e4d42a148795d9"',
];

/** Answers each request at once, from memory. */
class Origin implements StreamSink<RequestHead> {
  readonly stream: Stream<ResponseHead>;
  constructor(stream: Stream<ResponseHead>) {
    this.stream = stream;
  }
  info(): void {}
  head(_head: RequestHead, end: boolean): void {
    if (end) this.#answer();
  }
  data(_bytes: Uint8Array, end: boolean): void {
    if (end) this.#answer();
  }
  trailers(): void {}
  abort(): void {}
  closed(): void {}
  #answer(): void {
    this.stream.head({ status: 200, fields: new Fields(fields) }, false);
    this.stream.data(BODY, true);
  }
}

for (
  const [name, bytes] of [["2 lines", SMALL], ["10 lines", USUAL], ["8 chunks", CHUNKED]] as const
) {
  const server = new H1Server(nowhere, (stream) => new Origin(stream), { scheme: "http" });
  Deno.bench(`server: request in (${name}), response out`, { group: "codec" }, () => {
    server.receive(bytes);
  });
}

/** Joins a server to a client, as a proxy does: one object per exchange and direction. */
class Through implements StreamSink<RequestHead> {
  readonly down: Stream<ResponseHead>;
  readonly up: Stream<RequestHead>;
  constructor(down: Stream<ResponseHead>, client: H1Client) {
    this.down = down;
    this.up = client.open(new Back(down));
  }
  info(): void {}
  head(head: RequestHead, end: boolean): void {
    this.up.head(head, end);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.up.data(bytes, end);
  }
  trailers(fields: Fields): void {
    this.up.trailers(fields);
  }
  abort(): void {}
  closed(): void {}
}
class Back implements StreamSink<ResponseHead> {
  readonly down: Stream<ResponseHead>;
  constructor(down: Stream<ResponseHead>) {
    this.down = down;
  }
  info(): void {}
  head(head: ResponseHead, end: boolean): void {
    this.down.head(head, end);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.down.data(bytes, end);
  }
  trailers(fields: Fields): void {
    this.down.trailers(fields);
  }
  abort(): void {}
  closed(): void {}
}

for (const [name, bytes] of [["2 lines", SMALL], ["10 lines", USUAL]] as const) {
  const client = new H1Client(nowhere);
  const server = new H1Server(nowhere, (down) => new Through(down, client), { scheme: "http" });
  Deno.bench(`hop: request in and out (${name}), response in and out`, { group: "hop" }, () => {
    server.receive(bytes);
    client.receive(RESPONSE);
    if (client.slots !== 1) throw new Error("the exchange did not end");
  });
}
