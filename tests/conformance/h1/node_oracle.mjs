// Another implementation's view of a byte stream: raw bytes in, what Node's HTTP parser (llhttp) made of
// them out. Reads one JSON line `{"role": "request" | "response", "raw", "method"?}`, answers with one.
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";

/** Fields that each hop writes anew. */
const FRAMING = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "te",
  "trailer",
]);
let seen = [];

function fieldsOf(rawHeaders) {
  const fields = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (!FRAMING.has(name)) fields.push(name, rawHeaders[i + 1]);
  }
  return fields;
}

const server = http.createServer((request, response) => {
  const { method, url } = request;
  const one = { method, url, fields: fieldsOf(request.rawHeaders), body: "", ended: false };
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
for (const event of ["upgrade", "connect"]) {
  server.on(event, (_request, socket) => {
    seen.push({ error: event });
    socket.destroy();
  });
}

/** The requests on one connection that carries `raw`. */
function requests({ raw }) {
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

let reply = { raw: "", end: false };
const origin = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", () => {
    socket.write(Buffer.from(reply.raw, "latin1"));
    if (reply.end) socket.end();
  });
});

/** The answer a client makes of `raw`, with what was left over as an error. */
function answer(line) {
  reply = line;
  return new Promise((resolve) => {
    const agent = new http.Agent({ keepAlive: true });
    const { port } = origin.address();
    const request = http.request({ port, host: "127.0.0.1", method: line.method, agent });
    const done = (value) => {
      agent.destroy();
      resolve(value);
    };
    request.on("error", (error) => done({ error: error.code ?? error.message }));
    request.on("upgrade", () => done({ error: "upgrade" }));
    request.on("response", (response) => {
      const fields = fieldsOf(response.rawHeaders);
      const one = { status: response.statusCode, fields, body: "", ended: false };
      response.on("data", (bytes) => one.body += bytes.toString("latin1"));
      response.on("error", () => done(one));
      response.on("end", () => {
        one.ended = response.complete;
        done(one);
      });
    });
    request.setTimeout(5000, () => request.destroy(new Error("timeout")));
    request.end();
  });
}

origin.listen(0, "127.0.0.1", () =>
  server.listen(0, "127.0.0.1", async () => {
    for await (const text of createInterface({ input: process.stdin })) {
      const line = JSON.parse(text);
      console.log(JSON.stringify(await (line.role === "request" ? requests(line) : answer(line))));
    }
    process.exit(0);
  }));
