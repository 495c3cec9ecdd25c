// Node's HTTP client (undici, which is its fetch) behind HTTP_PROXY: by absolute-form and by CONNECT, and a
// WebSocket through CONNECT. Prints one JSON line per answer.
import { EnvHttpProxyAgent, fetch, ProxyAgent, WebSocket } from "undici";

const tell = (way, status, body) => console.log(JSON.stringify({ way, status, body }));

async function ask(way, dispatcher, url, options = {}) {
  const answer = await fetch(url, { dispatcher, ...options });
  tell(way, answer.status, await answer.text());
}

const up = { method: "POST", body: "x".repeat(300_000) };
const uri = process.env.http_proxy;

for (
  const [way, agent] of [
    ["as it comes", new EnvHttpProxyAgent()],
    ["absolute", new ProxyAgent({ uri, proxyTunnel: false })],
    ["connect", new ProxyAgent({ uri, proxyTunnel: true })],
  ]
) {
  for (const path of ["/hello?a=1", "/two"]) await ask(way, agent, `http://shop${path}`);
  await ask(way, agent, "http://shop/up", up);
  await agent.close();
}
const plain = new ProxyAgent({ uri, proxyTunnel: false });
await ask("unknown", plain, "http://nobody.example/");
await plain.close();

const agent = new ProxyAgent({ uri, proxyTunnel: true });
const socket = new WebSocket("ws://chat/", { dispatcher: agent });
socket.onopen = () => socket.send("hello");
socket.onmessage = ({ data }) => {
  tell("websocket", 101, data);
  socket.close(1000);
};
socket.onerror = ({ error }) => tell("websocket", 0, String(error?.cause ?? error));
socket.onclose = () => agent.destroy();
