/**
 * A TLS peer on Node and OpenSSL, so that attacks do not depend on the runtime under attack: it can
 * resume any session on any port and show a certificate whose key it does not hold.
 *
 * Reads steps as JSON lines on stdin and answers each with one JSON line on stdout.
 */
import { createInterface } from "node:readline";
import tls from "node:tls";

/** Our own library is to refuse nothing of what we try to show. */
const WEAK = "DEFAULT@SECLEVEL=0";

/** Bytes that came in at each of our servers, by port. */
const heard = new Map();

/** Sessions kept by name, for a later step to resume. */
const sessions = new Map();

function connect(step) {
  const { save, resume, send = "", waitMs = 3000, ...options } = step;
  return new Promise((done) => {
    const result = { connected: false, reused: false, saved: false, data: "", error: null };
    const bytes = [];
    let socket;
    try {
      socket = tls.connect({
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ciphers: WEAK,
        ...options,
        ...(resume === undefined ? {} : { session: sessions.get(resume) }),
      });
    } catch (error) {
      return done({ ...result, error: error.code ?? error.message });
    }
    const timer = setTimeout(() => socket.destroy(), waitMs);
    const settle = () => {
      clearTimeout(timer);
      result.data = Buffer.concat(bytes).toString("latin1").slice(0, 2000);
      done(result);
    };
    socket.on("session", (session) => {
      if (save === undefined) return;
      sessions.set(save, session);
      result.saved = true;
    });
    socket.on("secureConnect", () => {
      result.connected = true;
      result.reused = socket.isSessionReused();
      result.alpn = socket.alpnProtocol || "";
      if (send !== "") socket.write(send);
    });
    socket.on("data", (chunk) => bytes.push(chunk));
    socket.on("error", (error) => result.error = error.code ?? error.message);
    socket.on("end", () => socket.end());
    socket.on("close", settle);
  });
}

/** A server that shows what it is given and answers the first bytes it gets. */
function listen({ listen: _, say = "hello from the attacker", keep = false, ...options }) {
  return new Promise((done) => {
    let port = 0;
    const server = tls.createServer({ ciphers: WEAK, ...options }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => heard.set(port, heard.get(port) + bytes.length));
      socket.once("data", () => keep ? socket.write(say) : socket.end(say));
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1", () => {
      port = server.address().port;
      heard.set(port, 0);
      done({ port });
    });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line);
  const answer = step.heard !== undefined
    ? { bytes: heard.get(step.heard) }
    : await (step.listen === true ? listen(step) : connect(step));
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0); // servers would keep it alive
