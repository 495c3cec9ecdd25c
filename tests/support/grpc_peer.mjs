// A gRPC client and a gRPC server on Node's HTTP/2, driven line by line: what one sees is told as JSON.
//
//   node grpc_peer.mjs serve [STATUS]   first line {"port"}; then what happens to each call. STATUS: all
//                                       calls fail with it
//   node grpc_peer.mjs call URL         commands on standard input, events on standard output
//
// The server does what a call's path says; see `METHODS`. Messages are opaque to a proxy, so all of them
// are text in one frame of gRPC's.
import http2 from "node:http2";
import { createInterface } from "node:readline";

const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");
const GRPC = { "content-type": "application/grpc" };

function frame(text) {
  const body = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Calls `message` for each whole message of a stream. */
function messages(stream, message) {
  let held = Buffer.alloc(0);
  stream.on("data", (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
      const end = 5 + held.readUInt32BE(1);
      message(held.subarray(5, end).toString());
      held = held.subarray(end);
    }
  });
}

const tries = new Map();

const METHODS = {
  // Every message comes back; the status when the client is done.
  Echo(stream) {
    stream.respond({ ":status": 200, ...GRPC }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-end": "echo" }));
    messages(stream, (text) => stream.write(frame(text)));
    stream.on("end", () => stream.end());
  },
  // Nothing but a status, `x-status`, before the request has ended; after `x-failures` times it succeeds.
  Fail(stream, headers) {
    const key = headers["x-key"] ?? "";
    const nth = (tries.get(key) ?? 0) + 1;
    tries.set(key, nth);
    const failing = nth <= Number(headers["x-failures"] ?? Infinity);
    const status = failing ? headers["x-status"] : "0";
    stream.respond({ ":status": 200, ...GRPC, "grpc-status": status, "x-nth": String(nth) }, {
      endStream: true,
    });
    stream.resume();
  },
  // A message first, then the status.
  Late(stream, headers) {
    stream.respond({ ":status": 200, ...GRPC }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": headers["x-status"] }));
    stream.end(frame("first"));
    stream.resume();
  },
  // A message when asked for one, and no end.
  Hang(stream, headers) {
    stream.resume();
    if (headers["x-begin"] === undefined) return;
    stream.respond({ ":status": 200, ...GRPC });
    stream.write(frame("begun"));
  },
  // Breaks off with INTERNAL_ERROR.
  Break(stream, headers) {
    stream.resume();
    const cut = () => stream.destroy(new Error("asked for"));
    if (headers["x-begin"] === undefined) return cut();
    stream.respond({ ":status": 200, ...GRPC });
    stream.write(frame("begun"), () => setImmediate(cut));
  },
};

function serve(failing) {
  const server = http2.createServer();
  let last = 0;
  server.on("stream", (stream, headers) => {
    const call = ++last;
    say({ call, on: "call", path: headers[":path"], headers });
    stream.on("end", () => say({ call, on: "end" }));
    stream.on("close", () => {
      if (stream.rstCode !== 0) say({ call, on: "reset", code: stream.rstCode });
    });
    stream.on("error", () => {});
    if (failing !== undefined) METHODS.Fail(stream, { "x-status": failing });
    else METHODS[headers[":path"].split("/").at(-1)](stream, headers);
  });
  server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}

function call(url) {
  const session = http2.connect(url);
  const calls = new Map(), aborts = new Map();
  session.on("error", (e) => say({ on: "error", message: String(e) }));
  session.on("connect", () => say({ on: "connect" }));
  session.on("goaway", (code) => say({ on: "goaway", code }));
  const open = ({ id, path, headers = {}, end = false }) => {
    const abort = new AbortController();
    aborts.set(id, abort);
    const stream = session.request(
      { ":method": "POST", ":path": path, te: "trailers", ...GRPC, ...headers },
      { endStream: end, signal: abort.signal },
    );
    calls.set(id, stream);
    stream.on("response", (head, flags) => {
      say({ id, on: "head", status: head[":status"], headers: head, end: (flags & 1) !== 0 });
    });
    messages(stream, (text) => say({ id, on: "message", text }));
    stream.on("trailers", (trailers) => say({ id, on: "trailers", headers: trailers }));
    stream.on("error", () => {});
    stream.on("close", () => say({ id, on: "close", code: stream.rstCode }));
  };
  createInterface({ input: process.stdin }).on("line", (line) => {
    const command = JSON.parse(line);
    const stream = calls.get(command.id);
    if (command.do === "open") open(command);
    else if (command.do === "send") stream.write(frame(command.text));
    else if (command.do === "end") stream.end();
    else if (command.do === "cancel") aborts.get(command.id).abort(); // RST_STREAM with CANCEL
  }).on("close", () => process.exit(0));
}

const [, , role, argument] = process.argv;
if (role === "serve") serve(argument);
else call(argument);
