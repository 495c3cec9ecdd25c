/**
 * Arbitrary messages from an app through two sidecars to another and back: HTTP/1.1, then HTTP/2 over mTLS,
 * then HTTP/1.1 again. What goes in comes out: method, path, fields, interim heads, body, trailers.
 */
import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { startMesh } from "../support/mesh.ts";
import { pieces, runsOf } from "../support/property.ts";

const RUNS = runsOf("round_trip", 120);
/** Where the cases stop being drawn, so that a slow machine still ends in time. */
const BUDGET_MS = Number(Deno.env.get("BUDGET_MS") ?? 6000);
const ANSWER_MS = 20_000;

interface Message {
  /** Method and path, or the status. */
  readonly start: string;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}
/** How a message's end is told: it has no body, its length, chunks. */
type Framing = "none" | "length" | "chunked";

/** What each hop writes anew, adds or keeps to itself. */
const OF_THE_HOP: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding"],
  ...["via", "date", "x-request-id", "x-denim-peer"],
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-client-cert"],
]);

function fieldsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return [
      line.slice(0, colon).toLowerCase(),
      line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ""),
    ];
  });
}

function passedOn(fields: readonly string[]): string[] {
  return fields.filter((_, i) => !OF_THE_HOP.has(fields[i - (i % 2)]!));
}

/** One whole message at the front of `text`, and where it ends; null while there is none. */
function read(text: string, bodiless: boolean): { message: Message; end: number } | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const [line, ...rest] = text.slice(0, headEnd).split("\r\n");
  const start = line!.startsWith("HTTP/1.1 ")
    ? line!.slice(9, 12)
    : line!.replace(/ HTTP\/1.1$/, "");
  const all = fieldsIn(rest);
  const value = (name: string): string | undefined =>
    all[all.findIndex((one, i) => i % 2 === 0 && one === name) + 1 || all.length];
  const head = { start, fields: passedOn(all) };
  let at = headEnd + 4;
  if (bodiless || start.startsWith("1")) {
    return { message: { ...head, body: "", trailers: [] }, end: at };
  }
  if (value("transfer-encoding") !== "chunked") {
    const end = at + Number(value("content-length") ?? 0);
    if (text.length < end) return null;
    return { message: { ...head, body: text.slice(at, end), trailers: [] }, end };
  }
  let body = "";
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = parseInt(text.slice(at, lineEnd), 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return null;
    body += text.slice(at, at + size);
    at += size + 2;
  }
  const end = text.startsWith("\r\n", at) ? at : text.indexOf("\r\n\r\n", at) + 2;
  if (end < at || text.length < end + 2) return null;
  const trailers = text.slice(at, end).split("\r\n").filter((one) => one !== "");
  return { message: { ...head, body, trailers: passedOn(fieldsIn(trailers)) }, end: end + 2 };
}

/** The message in the form of HTTP/1.1; its body in chunks of `size`. */
function written(line: string, message: Message, framing: Framing, size: number): string {
  const lines = (list: readonly string[]): string => {
    let text = "";
    for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`;
    return text;
  };
  const { fields, body, trailers } = message;
  const head = `${line}\r\n${lines(fields)}`;
  if (framing === "none") return `${head}\r\n`;
  if (framing === "length") return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  let chunks = "";
  for (let at = 0; at < body.length; at += size) {
    const part = body.slice(at, at + size);
    chunks += `${part.length.toString(16)}\r\n${part}\r\n`;
  }
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n${lines(trailers)}\r\n`;
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** The app at the other end: answers each request with the bytes it was given, and keeps what it got. */
class App implements AsyncDisposable {
  readonly got: Message[] = [];
  answer: readonly Uint8Array[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      let text = "";
      socket.on("data", (bytes: Uint8Array) => {
        text += decoded(bytes);
        const found = read(text, false);
        if (found === null) return;
        text = text.slice(found.end);
        this.got.push(found.message);
        for (const piece of this.answer) socket.write(piece);
      });
    });
  }
  static async start(): Promise<App> {
    const app = new App();
    await new Promise<void>((done) => app.#server.listen(0, "127.0.0.1", done));
    return app;
  }
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}

/** TextDecoder's latin-1 is windows-1252; here a char is a byte. */
function decoded(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Sends a request in pieces; every message that comes back, the last one final. */
function ask(url: string, request: readonly Uint8Array[], bodiless: boolean): Promise<Message[]> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), ANSWER_MS);
    let text = "";
    const messages: Message[] = [];
    socket.on("data", (bytes: Uint8Array) => {
      text += decoded(bytes);
      for (let one = read(text, bodiless); one !== null; one = read(text, bodiless)) {
        text = text.slice(one.end);
        messages.push(one.message);
        if (!one.message.start.startsWith("1")) return void socket.destroy();
      }
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(messages);
    });
    for (const piece of request) socket.write(piece);
  });
}

const token = fc.string({
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789-_.!~"),
  minLength: 1,
  maxLength: 12,
});
const value = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((c) => c !== 0x7f)
    .map((c) => String.fromCharCode(c)),
  maxLength: 60,
}).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));
const line: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  fc.tuple(token.map((name) => `x-t-${name}`), value),
  fc.constantFrom<readonly [string, string]>(
    ...[["accept", "*/*"], ["user-agent", "a/1 (b)"], ["accept-encoding", "gzip"]] as const,
    ...[["if-none-match", '"x"'], ["authorization", "Bearer s"], [
      "set-cookie",
      "a=1; Path=/",
    ]] as const,
    ...[["content-type", "text/plain"], ["cache-control", "no-store"], [
      "range",
      "bytes=0-9",
    ]] as const,
  ),
);
/** One cookie at most: HTTP/2 makes one field of several (RFC 9113 8.2.3). */
const fields = fc.tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
  .map(([lines, cookie]) => [...lines.flat(), ...(cookie ? ["cookie", "a=1; b=2"] : [])]);
/** HTTP/1.1 passes on trailers of a list only; see framing.ts. */
const trailer = fc.constantFrom("digest", "server-timing", "grpc-status", "grpc-message", "grpc-x");
const trailers = fc.array(fc.tuple(trailer, value), { maxLength: 3 }).map((lines) => lines.flat());
const body = fc.oneof(
  fc.constant(""),
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
    maxLength: 200,
  }),
  fc.nat(200_000).map((size) => "0123456789\r\n".repeat(size / 12)),
);
const framing = fc.constantFrom<Framing>("none", "length", "chunked", "chunked");
const cuts = fc.array(fc.nat(), { maxLength: 6 });
const message = fc.record({
  fields,
  body,
  trailers,
  framing,
  size: fc.integer({ min: 1, max: 5000 }),
  cuts,
});

const exchange = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "REPORT"),
  path: fc.string({ unit: fc.constantFrom(..."abcXYZ019-_~!$&'()*+,;=:@"), maxLength: 20 })
    .map((rest) => `/a${rest}?q=%2F&${rest}`),
  // Not 502 to 504: those are tried again.
  status: fc.constantFrom(200, 201, 204, 206, 301, 304, 400, 404, 418, 500, 507),
  early: fc.boolean(),
  request: message,
  response: message,
});

/** What is left of a generated message when its framing has no place for it. */
function fitting(start: string, given: Message & { framing: Framing }, bodiless: boolean): Message {
  const { fields, body, trailers, framing } = given;
  const none = bodiless || framing === "none";
  return {
    start,
    fields,
    body: none ? "" : body,
    trailers: !none && framing === "chunked" ? trailers : [],
  };
}

Deno.test("Whatever one app sends another through two sidecars arrives as it was sent", async () => {
  await using app = await App.start();
  await using mesh = await startMesh({
    services: [{ name: "a" }, { name: "b", address: app.address }],
    gateway: false,
  });
  const outbound = mesh.outbound("a");
  let exchanges = 0;
  const check = async (one: typeof exchange extends fc.Arbitrary<infer T> ? T : never) => {
    const { method, path, status, early, request, response } = one;
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    const sent = fitting(`${method} ${path}`, { start: "", ...request }, false);
    const reply = fitting(String(status), { start: "", ...response }, bodiless);
    const hints = { start: "103", fields: ["link", "</a>"], body: "", trailers: [] };
    const line = `HTTP/1.1 ${status} Any`;
    // A response that says nothing of its end ends with the connection: not what is looked at here.
    const how = bodiless ? "none" : response.framing === "none" ? "length" : response.framing;
    const raw = (early ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "") +
      written(line, reply, how, response.size);
    app.answer = pieces(latin1(raw), response.cuts);
    app.got.length = 0;
    const asked = written(
      `${method} ${path} HTTP/1.1\r\nHost: b`,
      sent,
      request.framing,
      request.size,
    );
    const answers = await ask(outbound, pieces(latin1(asked), request.cuts), bodiless);
    assert.deepEqual(app.got, [sent]);
    assert.deepEqual(answers, early ? [hints, reply] : [reply]);
    exchanges++;
  };
  await fc.assert(fc.asyncProperty(exchange, check), {
    ...RUNS,
    interruptAfterTimeLimit: BUDGET_MS,
    markInterruptAsFailure: false,
  });
  console.log(`compared ${exchanges} exchanges through two sidecars`);
  assert.ok(exchanges > 10, "hardly anything was compared");
});
