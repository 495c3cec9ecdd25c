/** What the HTTP/2 codecs make of some input: every event and every frame of theirs, as lines to compare. */
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream } from "../../core/stream.ts";
import { Recorder } from "../../proxy/h1/rig.ts";
import { H2Client } from "../../proxy/h2/client.ts";
import type { H2Limits } from "../../proxy/h2/limits.ts";
import { H2Server } from "../../proxy/h2/server.ts";
import { ByteWire, frameLines } from "../support/h2_frames.ts";

/** Tight enough for what a test generates to reach most of them. */
export const TIGHT: Partial<H2Limits> = {
  headerBlockBytes: 1200,
  continuationFrames: 4,
  headerListBytes: 1000,
  headerFields: 12,
  concurrentStreams: 12,
  glitches: 25,
  freeFrames: 10,
};

/** Answers by path: /now at the head, /hold not before the end of all input, others at the end of the request. */
class Answering extends Recorder<RequestHead> {
  readonly stream: Stream<ResponseHead>;
  constructor(stream: Stream<ResponseHead>) {
    super();
    this.stream = stream;
  }
  override head(head: RequestHead, end: boolean): void {
    super.head(head, end);
    if (head.upgrade !== undefined) {
      const status = head.upgrade === "websocket" ? 101 : 200;
      return this.stream.head({ status, fields: new Fields() }, false);
    }
    if (head.path === "/hold") this.stream.pause();
    if (end || head.path.startsWith("/now")) this.answer();
  }
  override data(bytes: Uint8Array, end: boolean): void {
    super.data(bytes, end);
    if (end) this.answer();
  }
  override trailers(fields: Fields): void {
    super.trailers(fields);
    this.answer();
  }
  answer(): void {
    this.stream.info({ status: 103, fields: new Fields(["link", "</a>"]) });
    this.stream.head({ status: 200, fields: new Fields(["x-a", "b"]) }, false);
    this.stream.data(Uint8Array.of(111, 107), false);
    this.stream.trailers(new Fields(["grpc-status", "0"]));
  }
}

export function serverTrace(input: readonly Uint8Array[]): string[] {
  const wire = new ByteWire();
  const sinks: Answering[] = [];
  const server = new H2Server(wire, (stream) => {
    const sink = new Answering(stream as Stream<ResponseHead>);
    sinks.push(sink);
    return sink;
  }, { nowMs: () => 0, limits: TIGHT });
  for (const bytes of input) server.receive(bytes);
  const before = `${server.phase} ${wire.ended} ${wire.destroyed} ${server.streams.size}`;
  for (const { stream } of sinks) stream.resume();
  server.eof();
  server.close(null);
  return [...sinks.flatMap((sink, i) => [`#${i}`, ...sink.events()]), before, ...frames(wire)];
}

/** A client with requests of several kinds under way, which a server answers with `input`. */
export function clientTrace(input: readonly Uint8Array[]): string[] {
  const wire = new ByteWire();
  const client = new H2Client(wire, { nowMs: () => 0, limits: TIGHT });
  const sinks = ["GET", "HEAD", "POST", "CONNECT", "PUT", "GET"].map((method) => {
    const sink = new Recorder<ResponseHead>();
    const stream = client.open(sink);
    const head: RequestHead = {
      method,
      scheme: "https",
      authority: "a.test:443",
      path: "/",
      fields: new Fields(),
      ...(method === "CONNECT" ? { upgrade: "connect" } : {}),
    };
    stream.head(head, method === "GET" || method === "HEAD");
    if (method === "PUT") stream.pause();
    return { sink, stream };
  });
  for (const bytes of input) client.receive(bytes);
  const before = `${client.phase} ${client.slots} ${wire.ended} ${client.streams.size}`;
  for (const { stream } of sinks) stream.resume();
  client.eof();
  client.close(null);
  return [...sinks.flatMap(({ sink }, i) => [`#${i}`, ...sink.events()]), before, ...frames(wire)];
}

function frames(wire: ByteWire): string[] {
  const bytes = wire.taken();
  const preface = bytes[0] === 0x50 ? 24 : 0; // a client's begins with "PRI"
  return frameLines(bytes.subarray(preface));
}
