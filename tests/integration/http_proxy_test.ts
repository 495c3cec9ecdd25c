/**
 * `HTTP_PROXY=http://127.0.0.1:<outbound>` makes any client meshed: curl, Node, Python and Go as they are,
 * through two sidecars with mTLS between them.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { found } from "../support/programs.ts";

const PROGRAMS = new URL("./http_proxy/", import.meta.url).pathname;
const CALLER = "spiffe://mesh.local/ns/default/sa/web";
const LIMIT_MS = 60_000;

/** What a client program says of one answer. */
interface Told {
  readonly way: string;
  readonly status: number;
  readonly body: string;
}

/** What the app says of the request it got. */
interface Seen {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly peer: string;
  readonly bytes: number;
}

async function app(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const seen: Seen = {
    method: request.method,
    path: pathname + search,
    host: request.headers.get("host") ?? "",
    peer: request.headers.get("x-denim-peer") ?? "",
    bytes: (await request.arrayBuffer()).byteLength,
  };
  return Response.json(seen);
}

/** Echoes WebSocket messages. */
async function chatServer() {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (ws) => {
    ws.on("error", () => {});
    ws.on("message", (data: Uint8Array) => ws.send(`you said ${data}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const ws of sockets.clients) ws.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Runs a client with `proxy` in its environment; its standard output. */
async function run(proxy: string, command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { http_proxy: proxy, HTTP_PROXY: proxy, no_proxy: "", NO_PROXY: "" },
    stderr: "piped",
    signal: AbortSignal.timeout(LIMIT_MS),
  }).output();
  const text = new TextDecoder();
  assert.ok(success, `${command} failed: ${text.decode(stderr)}\n${text.decode(stdout)}`);
  return text.decode(stdout);
}

function told(lines: string): Told[] {
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

/** Every answer of one way came from the app, by mTLS, and was asked for as the client meant it. */
function assertMeshed(all: readonly Told[], way: string, paths: readonly string[]): void {
  const mine = all.filter((one) => one.way === way);
  assert.equal(mine.length, paths.length, JSON.stringify(all));
  mine.forEach(({ status, body }, i) => {
    assert.equal(status, 200, body);
    const seen: Seen = JSON.parse(body);
    assert.deepEqual([seen.path, seen.host, seen.peer], [paths[i], "shop", CALLER]);
    assert.equal(seen.bytes, paths[i] === "/up" ? 300_000 : 0);
  });
}

function assertUnknown(all: readonly Told[]): void {
  const [one] = all.filter(({ way }) => way === "unknown");
  assert.deepEqual([one!.status, /route\.unknown_host/.test(one!.body)], [404, true], one!.body);
}

Deno.test("HTTP_PROXY alone makes clients part of the mesh", async (t) => {
  await using chat = await chatServer();
  await using mesh: TestMesh = await startMesh({
    services: [{ name: "web" }, { name: "shop", app }, { name: "chat", address: chat.address }],
    gateway: false,
  });
  const proxy = mesh.outbound("web");
  const client = async (
    command: string,
    flag: string,
    check: (t: Deno.TestContext) => Promise<void>,
  ): Promise<void> => {
    const there = await found(command, flag);
    if (!there) {
      console.log(`skipped: no "${command}" on the PATH (tests/integration/http_proxy_test.ts)`);
    }
    await t.step({
      name: command,
      ignore: !there,
      fn: check,
    });
  };
  const curl = async (...args: string[]): Promise<Told[]> => {
    const out = await run(proxy, "curl", "-sS", "-w", "\n%{http_code}\n", ...args);
    const lines = out.trimEnd().split("\n");
    const answers: Told[] = [];
    for (let i = 0; i < lines.length; i += 2) {
      answers.push({ way: "curl", body: lines[i]!, status: Number(lines[i + 1]) });
    }
    return answers;
  };

  await client("curl", "--version", async () => {
    assertMeshed(await curl("http://shop/a", "http://shop/b"), "curl", ["/a", "/b"]);
    assertMeshed(await curl("--proxy1.0", proxy, "http://shop/a"), "curl", ["/a"]);
    // Through a tunnel to port 80, one connection for both.
    assertMeshed(await curl("-p", "http://shop/a", "http://shop/b"), "curl", ["/a", "/b"]);
    assertMeshed(await curl("-p", "--proxy1.0", proxy, "http://shop/a"), "curl", ["/a"]);
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "x".repeat(300_000));
    for (const how of [[], ["-p"]]) {
      const body = ["-T", file, "-H", "Expect: 100-continue", "http://shop/up"];
      assertMeshed(await curl(...how, ...body), "curl", ["/up"]);
    }
    await Deno.remove(file);
    const unknown = await run(proxy, "curl", "-sS", "http://nobody.example/");
    assert.match(unknown, /\(route\.unknown_host\)/);
    // A tunnel to nobody is refused with the status in the answer to CONNECT.
    const refused = await run(
      proxy,
      "sh",
      "-c",
      "curl -sS -p -o /dev/null -w '%{http_connect}' http://nobody.example/ || true",
    );
    assert.equal(refused, "404");
  });

  await client("node", "--version", async () => {
    const all = told(await run(proxy, "node", `${PROGRAMS}client.mjs`));
    for (const way of ["as it comes", "absolute", "connect"]) {
      assertMeshed(all, way, ["/hello?a=1", "/two", "/up"]);
    }
    assertUnknown(all);
    const websocket = all.filter(({ way }) => way === "websocket");
    assert.deepEqual(websocket.map(({ body }) => body), ["you said hello"]);
  });

  await client("python3", "--version", async () => {
    const all = told(await run(proxy, "python3", `${PROGRAMS}client.py`));
    assertMeshed(all, "absolute", ["/hello?a=1", "/up"]);
    assertMeshed(all, "connect", ["/one", "/two", "/up"]);
    assertUnknown(all);
  });

  await client("go", "version", async () => {
    const all = told(await run(proxy, "go", "run", `${PROGRAMS}client.go`));
    assertMeshed(all, "absolute", ["/hello?a=1", "/two", "/up"]);
    assertUnknown(all);
  });

  await t.step("each request in a tunnel is counted by itself, and who asked is told", async () => {
    const metrics = await (await fetch(`${mesh.admin("web")}/metrics`)).text();
    assert.match(
      metrics,
      /denim_requests_total\{[^}]*route="\(http by connect\)"[^}]*2xx"\} [1-9]/,
    );
    assert.match(metrics, /denim_requests_total\{[^}]*route="default\/shop"[^}]*2xx"\} [1-9]\d/);
  });
});
