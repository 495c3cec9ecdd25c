/** Runs the strictness table against a proxy process over sockets: what it refuses never reaches an origin. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { gateway, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { type RequestCase, REQUESTS } from "./cases.ts";

/** Sent after every accepted case: its answer shows that all before it was understood as one stream. */
const LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Sends raw latin-1 and gives back everything until the proxy closes. */
function send(url: string, raw: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let text = "";
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("data", (bytes: Uint8Array) => text += new TextDecoder("latin1").decode(bytes));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.write(Uint8Array.from(raw, (c) => c.charCodeAt(0)));
  });
}

/** Ends with an incomplete message or says close itself, so nothing may follow it. */
function mayFollow(row: RequestCase): boolean {
  return !/connection:[^\r]*close|HTTP\/1\.0/i.test(row.raw) && row.accepted!.length > 0;
}

Deno.test("A proxy refuses on the wire what the table refuses, and forwards the rest once", async () => {
  // Another implementation's parser stands behind: it must see the requests the table says, no others.
  const requests: string[] = [];
  await using origin = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      try {
        await request.arrayBuffer();
      } catch {
        return new Response(null); // cut off by the proxy in the middle of its body: not a request
      }
      const { pathname, search } = new URL(request.url);
      requests.push(`${request.method} ${pathname}${search}`);
      return new Response("ok");
    },
  );
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("origin", `127.0.0.1:${origin.addr.port}`),
    route("all", { backendRefs: [{ name: "origin", port: 80 }] }),
  ]);
  let refused = 0, forwarded = 0;
  for (const row of REQUESTS) {
    const before = requests.length;
    if (row.codecOnly) continue;
    if (row.refused !== undefined) {
      const text = await send(proxy.url(), row.raw);
      const last = text.slice(text.search(/HTTP\/1\.1 [45]/));
      assert.equal(last.slice(9, 12), String(row.refused.status), row.name);
      assert.match(last, new RegExp(`\r\ndenim-fault: ${row.refused.fault}\r\n`), row.name);
      assert.deepEqual(requests.slice(before), row.accepted ?? [], row.name);
      refused++;
    } else if (row.accepted !== undefined && mayFollow(row)) {
      const text = await send(proxy.url(), row.raw + LAST);
      assert.ok(!text.includes("denim-fault"), `${row.name}\n${text}`);
      const paths = requests.slice(before);
      assert.equal(paths.at(-1), "GET /last", row.name);
      assert.equal(paths.length, row.accepted.length + 1, row.name);
      forwarded++;
    }
  }
  assert.ok(refused > 50 && forwarded > 10, `${refused} refused, ${forwarded} forwarded`);
});
