// A WebSocket echo server that is not ours: `ws` on Node. Prints its port.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 32 << 20,
  perMessageDeflate: true,
});
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket) => {
  socket.on("error", () => {}); // it closes by itself, with the code that says why
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
