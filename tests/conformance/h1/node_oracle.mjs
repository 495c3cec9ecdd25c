// Another implementation's view of a byte stream: one connection of raw bytes in, what Node's HTTP parser
// (llhttp) made of it out. Reads one JSON string a line, answers one JSON line each.
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";

/** Fields that each hop writes anew. */
const FRAMING = new Set(["host", "content-length", "transfer-encoding", "connection", "te"]);
let seen = [];
const server = http.createServer((request, response) => {
  const fields = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i].toLowerCase();
    if (!FRAMING.has(name)) fields.push(name, request.rawHeaders[i + 1]);
  }
  const { method, url } = request;
  const one = { method, url, fields, body: "", ended: false };
  seen.push(one);
  request.on("data", (bytes) => one.body += bytes.toString("latin1"));
  request.on("end", () => {
    one.ended = true;
    response.end();
  });
  request.on("error", () => {});
});
server.on("checkContinue", (request, response) => server.emit("request", request, response));
server.on("clientError", (error, socket) => {
  seen.push({ error: error.code });
  socket.destroy();
});
server.on("upgrade", (_request, socket) => {
  seen.push({ error: "upgrade" });
  socket.destroy();
});
server.on("connect", (_request, socket) => {
  seen.push({ error: "connect" });
  socket.destroy();
});

function run(raw) {
  seen = [];
  return new Promise((resolve) => {
    const socket = net.connect(server.address().port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.on("close", () => resolve(seen));
    socket.end(Buffer.from(raw, "latin1"));
    socket.setTimeout(5000, () => socket.destroy());
  });
}

server.listen(0, "127.0.0.1", async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await run(JSON.parse(line))));
  }
  server.close();
});
