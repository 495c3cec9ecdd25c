// Origin servers on Node's HTTP parser (llhttp) that remember what they were sent, both as bytes and as
// requests. Prints `{"ports"}` once, then answers each line `INDEX` with what came to that server since
// the last time: `[{"raw", "requests"}]`, one per connection.
import http from "node:http";
import { createInterface } from "node:readline";

const SERVERS = 2;

/** One origin: `connections` holds those that sent something since the last look. */
function origin() {
  let nth = 0, begun = 0;
  const open = new Map();
  let connections = [];

  const recordOf = (socket) => {
    let record = open.get(socket);
    if (record === undefined || !connections.includes(record)) {
      record = { raw: "", requests: [] };
      open.set(socket, record);
      connections.push(record);
    }
    return record;
  };
  const server = http.createServer((request, response) => {
    const { method, url, rawHeaders } = request;
    const one = { nth: ++begun, method, url, fields: rawHeaders, body: "", ended: false };
    recordOf(request.socket).requests.push(one);
    request.on("data", (bytes) => one.body += bytes.toString("latin1"));
    request.on("error", () => {});
    request.on("end", () => {
      one.ended = true;
      // The marker lets a client count the answers that came from here.
      response.writeHead(200, { "x-nth": String(++nth), "content-length": "0" });
      response.end();
    });
  });
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.maxRequestsPerSocket = 0;
  server.on("checkContinue", (request, response) => {
    response.writeContinue();
    server.emit("request", request, response);
  });
  server.on("connection", (socket) => {
    // Before the parser takes the bytes: it would consume them unseen otherwise.
    const { emit } = socket;
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    socket.emit = function (event, ...args) {
      if (event === "data") recordOf(socket).raw += args[0].toString("latin1");
      return emit.call(this, event, ...args);
    };
    socket.on("data", () => {}); // a listener of its own keeps Node off the short cut past "data"
  });
  server.on("clientError", (error, socket) => {
    recordOf(socket).requests.push({ error: error.code });
    socket.destroy();
  });
  for (const event of ["upgrade", "connect"]) {
    server.on(event, (_request, socket) => {
      recordOf(socket).requests.push({ error: event });
      socket.destroy();
    });
  }
  return {
    server,
    take() {
      const taken = connections;
      connections = [];
      return taken;
    },
  };
}

const origins = Array.from({ length: SERVERS }, origin);
await Promise.all(
  origins.map(({ server }) => new Promise((done) => server.listen(0, "127.0.0.1", done))),
);
console.log(JSON.stringify({ ports: origins.map(({ server }) => server.address().port) }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(origins[Number(line)].take()));
}
process.exit(0);
