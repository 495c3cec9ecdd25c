/**
 * External authorizers that fail, lie or were taken over: whatever they answer, a request passes by a whole and
 * well-formed yes only, and nothing they write makes the client somebody else or splits a message.
 */
import assert from "node:assert/strict";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { ProtoWriter } from "../../filters/ext_authz/protobuf.ts";
import { Guarded } from "../support/ext_authz.ts";
import { http } from "../support/http.ts";
import { Origin, type OriginReply } from "../support/origin.ts";

const FORGED = "spiffe://mesh.test/ns/default/sa/admin";
const LIMITS = { timeoutMs: 500, statusOnError: 503 };
const UNAVAILABLE = "503 ext_authz.unavailable";

const lines = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-auth-${n}`, "v"]));

/** None of these is an answer. */
const HTTP_FAULTS: readonly [attack: string, reply: OriginReply][] = [
  ["slow: a head, then nothing", { stall: true, body: "never ends" }],
  ["slow: not even a head", { after: new Promise(() => {}) }],
  ["hangs up", { cut: true }],
  ["fails with a page that says yes", { status: 500, headers: { "x-auth-user": "root" } }],
  ["a body without end", { body: "x".repeat(300_000) }],
  ["more fields than a request may have", { headers: lines(200) }],
  ["a field longer than a head", { headers: { "x-auth-user": "x".repeat(100_000) } }],
  ["two lengths of one body", { headers: { "transfer-encoding": "chunked" }, body: "0\r\n\r\n" }],
  ["a field of ours, named hop by hop", { headers: { connection: "x-denim-peer" } }],
  ["a NUL in a value", { headers: { "x-auth-user": "a\0b" } }],
  ["a bare line feed in a value", { headers: { "x-auth-user": `a\nx-denim-peer: ${FORGED}` } }],
];

/** A yes, with what the authorizer has no say in: it passes without that. */
const HTTP_LIES: readonly [attack: string, headers: Record<string, string>][] = [
  ["the caller's name", { "x-denim-peer": FORGED }],
  ["the caller's name, on a line of its own by CR LF", {
    "x-auth-user": `a\r\nx-denim-peer: ${FORGED}`,
  }],
  ["the name others give it", { "x-forwarded-client-cert": `URI=${FORGED}` }],
  ["another host", { host: "admin.test" }],
  ["another coding for the way back", { te: "trailers, gzip" }],
];

async function ask(guarded: Guarded): Promise<string> {
  const { status, headers } = await http(`${guarded.url}/orders`, {
    headers: { host: "shop.test" },
  });
  return status === 200 ? "200" : `${status} ${headers["denim-fault"]}`;
}

/** What the app may never be told by an authorizer. */
function assertHonest(guarded: Guarded): void {
  const { headers, path } = guarded.app.requests.at(-1)!;
  assert.deepEqual([path, headers["host"]], ["/orders", "shop.test"]);
  assert.ok(!JSON.stringify(headers).includes(FORGED), JSON.stringify(headers));
  for (const name of ["upgrade", "te", "content-length", "transfer-encoding"]) {
    assert.equal(headers[name], undefined, name);
  }
}

Deno.test("An HTTP authorizer that fails or lies lets nothing pass and names nobody", async (t) => {
  const replies: OriginReply[] = [{}];
  await using authorizer = await Origin.start({ answer: () => replies[0]! });
  await using guarded = await Guarded.start({
    authorizer: authorizer.address,
    config: {
      ...LIMITS,
      http: { pathPrefix: "/check", include: [], toUpstream: ["*"], toClientOnAllow: [] },
    },
  });
  for (const [attack, reply] of HTTP_FAULTS) {
    await t.step(`refused: ${attack}`, async () => {
      replies[0] = reply;
      assert.equal(await ask(guarded), UNAVAILABLE);
    });
  }
  assert.equal(guarded.app.requests.length, 0);
  for (const [attack, headers] of HTTP_LIES) {
    await t.step(`passes without it: ${attack}`, async () => {
      replies[0] = { headers };
      assert.equal(await ask(guarded), "200");
      assertHonest(guarded);
    });
  }
  await t.step("refused: it is down", async () => {
    await authorizer[Symbol.asyncDispose]();
    assert.equal(await ask(guarded), UNAVAILABLE);
  });
  assert.equal(guarded.app.requests.length, HTTP_LIES.length);
});

interface GrpcReply {
  readonly status?: number;
  readonly grpcStatus?: string | null;
  /** The body as it is sent. */
  readonly bytes?: Uint8Array;
  readonly silent?: boolean;
}

function framed(message: Uint8Array, length = message.length, flag = 0): Uint8Array {
  const bytes = new Uint8Array(5 + message.length);
  bytes[0] = flag;
  new DataView(bytes.buffer).setUint32(1, length);
  bytes.set(message, 5);
  return bytes;
}

const STATUS = (code: number) => new ProtoWriter().varint(1, code);
const option = (name: string, value: string) =>
  new ProtoWriter().message(1, new ProtoWriter().text(1, name).text(2, value));

/** CheckResponse with status OK, that sets a header. */
const yes = (name: string, value: string): Uint8Array =>
  new ProtoWriter().message(1, STATUS(0))
    .message(3, new ProtoWriter().message(2, option(name, value))).bytes;
const GOOD = yes("x-auth-user", "alice");

const GRPC_FAULTS: readonly [attack: string, reply: GrpcReply][] = [
  ["slow", { silent: true }],
  ["an HTTP error with a yes in it", { status: 500, bytes: framed(GOOD) }],
  ["a yes, and a status that says it failed", { grpcStatus: "13", bytes: framed(GOOD) }],
  ["a yes without any status", { grpcStatus: null, bytes: framed(GOOD) }],
  ["no message", { bytes: new Uint8Array(0) }],
  ["a length that lies", { bytes: framed(GOOD, 0xffff_ffff) }],
  ["a message that is compressed", { bytes: framed(GOOD, GOOD.length, 1) }],
  ["two messages", { bytes: new Uint8Array([...framed(GOOD), ...framed(GOOD)]) }],
  ["half of one", { bytes: framed(GOOD.subarray(0, GOOD.length - 1)) }],
  ["a megabyte", { bytes: framed(yes("x-auth-user", "x".repeat(1_000_000))) }],
  ["a field of 40 KB", { bytes: framed(yes("x-auth-user", "x".repeat(40_000))) }],
  ["a line more by CR LF", { bytes: framed(yes("x-auth-user", `a\r\nx-denim-peer: ${FORGED}`)) }],
  ["a name that is a line", { bytes: framed(yes("x-a: 1\r\nx-b", "2")) }],
];

const GRPC_LIES: readonly [attack: string, message: Uint8Array][] = [
  ["the caller's name", yes("x-denim-peer", FORGED)],
  ["the caller's name in capitals", yes("X-Denim-Peer", FORGED)],
  ["another path", yes(":path", "/admin")],
  ["another host", yes("host", "admin.test")],
  ["a length", yes("content-length", "7")],
  ["another framing", yes("transfer-encoding", "chunked")],
];

/** An authorizer that answers with whatever bytes it is told to. */
class GrpcLiar implements AsyncDisposable {
  reply: GrpcReply = {};
  readonly #server: Http2Server;

  private constructor() {
    this.#server = createServer();
    this.#server.on("stream", (stream) => this.#answer(stream));
  }

  static async start(): Promise<GrpcLiar> {
    const liar = new GrpcLiar();
    await new Promise<void>((done) => liar.#server.listen(0, "127.0.0.1", done));
    return liar;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #answer(stream: ServerHttp2Stream): void {
    const { status = 200, grpcStatus = "0", bytes = new Uint8Array(0), silent = false } =
      this.reply;
    stream.on("error", () => {}); // who asked may have gone
    stream.resume();
    if (silent) return;
    stream.respond({ ":status": status, "content-type": "application/grpc" }, {
      waitForTrailers: grpcStatus !== null,
    });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpcStatus ?? "" }));
    stream.end(bytes);
  }
}

Deno.test("A gRPC authorizer that fails or lies lets nothing pass and names nobody", async (t) => {
  await using liar = await GrpcLiar.start();
  await using guarded = await Guarded.start({ authorizer: liar.address, config: LIMITS });
  for (const [attack, reply] of GRPC_FAULTS) {
    await t.step(`refused: ${attack}`, async () => {
      liar.reply = reply;
      assert.equal(await ask(guarded), UNAVAILABLE);
    });
  }
  assert.equal(guarded.app.requests.length, 0);
  for (const [attack, message] of GRPC_LIES) {
    await t.step(`passes without it: ${attack}`, async () => {
      liar.reply = { bytes: framed(message) };
      assert.equal(await ask(guarded), "200");
      assertHonest(guarded);
    });
  }
  assert.equal(guarded.app.requests.length, GRPC_LIES.length);
});
