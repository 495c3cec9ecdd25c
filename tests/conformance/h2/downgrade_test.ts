/**
 * Differential, live: a request that comes as HTTP/2 and leaves a Denim process as HTTP/1.1 is, to Node's
 * llhttp and to haproxy, exactly one request and the one that was meant; or it is refused, and nobody
 * behind the proxy hears of it.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import fc from "fast-check";
import { ModelDecoder, ModelEncoder } from "../../property/hpack_model.ts";
import { DATA, HEADERS, type RawFrame, RawH2, RST_STREAM } from "../../support/h2.ts";
import { headFrames } from "../../support/h2_frames.ts";
import { Haproxy } from "../../support/haproxy.ts";
import { runsOf } from "../../support/property.ts";
import { gateway, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { meaning, normalised, OF_THE_HOP, type Seen, whole } from "../h1/forwarded.ts";
import { NodeOrigins } from "../h1/node_origins.ts";
import { type H2Request, requests } from "./requests.ts";

const RUNS = runsOf("h2_downgrade", 600);
/** Where the cases stop being drawn, so that a slow machine still ends in time. */
const BUDGET_MS = Number(Deno.env.get("BUDGET_MS") ?? 8000);

const version = await Haproxy.version();
const node = await NodeOrigins.methods();
if (node === null) {
  console.log("skipped: no `node` on the PATH to compare with (h2/downgrade_test.ts)");
} else if (version === null) console.log("skipped: no `haproxy` on the PATH, only Node is asked");

/** What a request means, by its list alone. */
function meant({ lines, body, frames }: H2Request): Seen {
  const value = (name: string): string => lines[lines.indexOf(name) + 1]!;
  const fields: string[] = [];
  let cookie = -1;
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!;
    if (name.startsWith(":") || DROPPED.has(name)) continue;
    if (name === "cookie" && cookie >= 0) { // RFC 9113 8.2.3
      fields[cookie] = [fields[cookie]!, lines[i + 1]!].filter((crumb) => crumb !== "").join("; ");
    } else {
      if (name === "cookie") cookie = fields.length + 1;
      fields.push(name, lines[i + 1]!);
    }
  }
  const authority = lines.includes(":authority") ? value(":authority") : value("host");
  const path = value(":path");
  return {
    method: value(":method"),
    authority: authority.toLowerCase().replace(/:80$/, ""),
    path: path === "*" ? path : normalised(path),
    fields,
    body: frames === 0 ? "" : body,
  };
}

/** Beside what each hop writes anew: what a proxy never passes on, and what it does not believe of strangers. */
const DROPPED: ReadonlySet<string> = new Set([
  ...OF_THE_HOP,
  "proxy",
  "http2-settings",
]);

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Sends a request and, behind it on the same connection, another; the status, or why there is none. */
async function send(place: string, { lines, body, frames, trailers }: H2Request): Promise<string> {
  const client = new RawH2(place);
  const hpack = new ModelEncoder();
  const block = (list: readonly string[]): Uint8Array => {
    const bytes: number[] = [];
    for (let i = 0; i < list.length; i += 2) {
      bytes.push(...hpack.field(list[i]!, list[i + 1]!, "without", false, false));
    }
    return Uint8Array.from(bytes);
  };
  client.socket.write(headFrames(1, block(lines), frames === 0));
  const size = Math.max(1, Math.ceil(body.length / Math.max(1, frames)));
  for (let n = 0; n < frames; n++) {
    const end = n === frames - 1 && trailers === null;
    client.send(DATA, end ? 1 : 0, 1, latin1(body.slice(n * size, (n + 1) * size)));
  }
  if (trailers !== null) client.socket.write(headFrames(1, block(trailers), true));
  const last = [":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/last"];
  client.socket.write(headFrames(3, block(last), true));
  await client.over(1);
  const after = await client.over(3);
  client.socket.destroy();
  await client.closed;
  assert.ok(after[0]?.type === HEADERS, "the connection did not go on after one request");
  return outcome(client.frames);
}

/** The status of stream 1, or how else it ended. */
function outcome(frames: readonly RawFrame[]): string {
  const hpack = new ModelDecoder(); // one table for all streams, so all heads are read
  let found = "nothing";
  for (const { type, id, payload } of frames) {
    if (type === RST_STREAM && id === 1 && found === "nothing") found = `reset ${payload[3]}`;
    if (type !== HEADERS) continue;
    const lines = hpack.decode(payload);
    if (id === 1 && lines[0] === ":status" && !lines[1]!.startsWith("1")) found = lines[1]!;
  }
  return found;
}

/** Sends raw HTTP/1.1, then the end; resolves when the other side has closed. */
function replay(path: string, raw: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("data", () => {});
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.end(latin1(raw));
  });
}

Deno.test({
  name:
    "What comes as HTTP/2 and leaves as HTTP/1.1 is one request, the same to llhttp and haproxy",
  ignore: node === null,
  async fn() {
    const methods = node!;
    await using origins = await NodeOrigins.start();
    await using haproxy = version === null ? null : await Haproxy.start(origins.ports[1]!);
    await using denim = await StandaloneProxy.start([
      gateway(),
      service("origin", `127.0.0.1:${origins.ports[0]}`),
      route("all", { backendRefs: [{ name: "origin", port: 80 }] }),
    ]);
    const place = denim.ready.listeners["http"]!;
    let forwarded = 0, refused = 0, again = 0;
    const check = async (request: H2Request): Promise<void> => {
      const answer = await send(place, request);
      const connections = await origins.take(0);
      const seen = whole(connections, methods);
      if (typeof seen === "string") {
        return assert.ok(!seen.startsWith("HPE"), `Node refuses what Denim forwards: ${seen}`);
      }
      const last = seen.findIndex(({ path }) => path === "/last");
      assert.ok(last >= 0, "the request behind was not forwarded");
      const others = seen.toSpliced(last, 1);
      if (others.length === 0) {
        assert.notEqual(answer, "200");
        refused++;
        return;
      }
      assert.deepEqual(others, [meant(request)]);
      assert.equal(answer, "200");
      forwarded++;
      if (haproxy === null) return;
      for (const { raw, requests } of connections) {
        const sent = requests.flatMap((one) => "error" in one || !one.ended ? [] : [meaning(one)]);
        for (let tries = 1;; tries++) {
          await replay(haproxy.socket, raw);
          const theirs = whole(await origins.take(1), methods);
          // haproxy sometimes resets a connection whose answer came quickly.
          if (tries < 4 && theirs.length < sent.length) continue;
          assert.deepEqual(theirs, sent, raw);
          break;
        }
        again++;
      }
    };
    await fc.assert(fc.asyncProperty(requests, check), {
      ...RUNS,
      interruptAfterTimeLimit: BUDGET_MS,
      markInterruptAsFailure: false,
    });
    const also = haproxy === null ? "" : `; haproxy ${version} read ${again} connections alike`;
    console.log(`compared ${forwarded} forwarded and ${refused} refused requests${also}`);
    assert.ok(forwarded > 20 && refused > 20, "too few of either: the comparison proves little");
  },
});
