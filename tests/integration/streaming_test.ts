/** Bodies and framing through one proxy, over real sockets: streaming, pressure, 1xx, pipelining, refusals. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

const MB = 1024 * 1024;
const BIG = 100 * MB;

/** An origin that hands every connection to `serve`. */
async function origin(
  serve: (socket: Socket) => void,
): Promise<{ address: string; server: Server }> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function proxyTo(address: string): Promise<StandaloneProxy> {
  return await StandaloneProxy.start([
    gateway(),
    service("origin", address),
    route("all", { backendRefs: [{ name: "origin", port: 80 }], timeouts: { request: "0s" } }),
  ]);
}

function dial(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), noDelay: true });
}

/** Reads until `done` says so or the peer ends. */
function read(socket: Socket, done: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const over = (): void => resolve(text);
    socket.on("data", (bytes: Uint8Array) => {
      text += new TextDecoder("latin1").decode(bytes);
      if (done(text)) resolve(text);
    });
    socket.on("end", over);
    socket.on("close", over);
    socket.on("error", reject);
  });
}

const rss = async (pid: number): Promise<number> => {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
};

/** Calls the handler once per request head, after which the socket is raw. */
function onHead(socket: Socket, handle: (head: string, rest: Uint8Array) => void): void {
  let held = new Uint8Array(0);
  const listener = (bytes: Uint8Array): void => {
    const joined = new Uint8Array(held.length + bytes.length);
    joined.set(held);
    joined.set(bytes, held.length);
    const text = new TextDecoder("latin1").decode(joined);
    const end = text.indexOf("\r\n\r\n");
    held = joined;
    if (end < 0) return;
    socket.off("data", listener);
    handle(text.slice(0, end), joined.subarray(end + 4));
  };
  socket.on("data", listener);
}

Deno.test("100 MB go up through the proxy in flat memory", async () => {
  let got = 0;
  const up = await origin((socket) =>
    onHead(socket, (_head, rest) => {
      got += rest.length;
      const answer = (): void => {
        if (got === BIG) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      };
      answer();
      socket.on("data", (bytes: Uint8Array) => {
        got += bytes.length;
        answer();
      });
    })
  );
  await using proxy = await proxyTo(up.address);
  const before = await rss(proxy.ready.pid);
  let peak = 0;
  const socket = dial(proxy.url());
  const answer = read(socket, (text) => text.endsWith("ok"));
  socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${BIG}\r\n\r\n`);
  for (let sent = 0; sent < BIG; sent += MB) {
    if (!socket.write(new Uint8Array(MB))) await once(socket, "drain");
    if (sent % (10 * MB) === 0) peak = Math.max(peak, await rss(proxy.ready.pid));
  }
  assert.match(await answer, /^HTTP\/1\.1 200 OK/);
  socket.destroy();
  assert.equal(got, BIG);
  assert.ok(peak - before < 60 * MB, `grew by ${Math.round((peak - before) / MB)} MB`);
  up.server.close();
});

Deno.test("100 MB come down at the pace of a slow reader, in flat memory", async () => {
  let written = 0;
  const down = await origin((socket) =>
    onHead(socket, () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BIG}\r\n\r\n`);
      const chunk = new Uint8Array(MB);
      const more = (): void => {
        while (written < BIG) {
          written += MB;
          if (!socket.write(chunk)) return void socket.once("drain", more);
        }
      };
      more();
    })
  );
  await using proxy = await proxyTo(down.address);
  const before = await rss(proxy.ready.pid);
  const reply = await fetch(proxy.url());
  const reader = reply.body!.getReader();
  let got = 0;
  got += (await reader.read()).value!.length;
  // Nobody reads now: all that can have left the origin is what sockets and marks hold.
  let settled = -1;
  while (settled !== written) {
    settled = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(settled < 40 * MB, `${settled / MB} MB left the origin while nobody read`);
  let peak = await rss(proxy.ready.pid);
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    got += part.value.length;
    if (got % (20 * MB) < 65536) peak = Math.max(peak, await rss(proxy.ready.pid));
  }
  assert.equal(got, BIG);
  assert.ok(peak - before < 60 * MB, `grew by ${Math.round((peak - before) / MB)} MB`);
  down.server.close();
});

Deno.test("Expect: 100-continue is asked of the origin and its answer passed on", async () => {
  const up = await origin((socket) =>
    onHead(socket, (head) => {
      assert.match(head, /expect: 100-continue/i);
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"));
    })
  );
  await using proxy = await proxyTo(up.address);
  const socket = dial(proxy.url());
  const answer = read(socket, (text) => text.endsWith("done"));
  socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
  await read(socket, (text) => text.includes("100 Continue\r\n\r\n"));
  socket.write("body");
  const text = await answer;
  assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  socket.destroy();
  up.server.close();
});

Deno.test("Pipelined requests are answered in order, each with its own body", async () => {
  const up = await origin((socket) => {
    let text = "";
    socket.on("data", (bytes: Uint8Array) => {
      text += new TextDecoder("latin1").decode(bytes);
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const path = text.split(" ")[1]!;
        text = text.slice(end + 4);
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
      }
    });
  });
  await using proxy = await proxyTo(up.address);
  const socket = dial(proxy.url());
  const paths = Array.from({ length: 20 }, (_, i) => `/p${i}`);
  const answer = read(socket, (text) => text.endsWith("/p19"));
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`).join(""));
  const text = await answer;
  assert.deepEqual(text.match(/\/p\d+/g), paths);
  socket.destroy();
  up.server.close();
});

Deno.test("HEAD, 204 and 304 have no body and the connection goes on", async () => {
  const up = await origin((socket) => {
    socket.on("data", (bytes: Uint8Array) => {
      const [method, path] = new TextDecoder("latin1").decode(bytes).split(" ");
      if (path === "/204") return void socket.write("HTTP/1.1 204 No Content\r\n\r\n");
      if (path === "/304") {
        return void socket.write(
          "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\netag: x\r\n\r\n",
        );
      }
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${method === "HEAD" ? "" : "hello"}`,
      );
    });
  });
  await using proxy = await proxyTo(up.address);
  const socket = dial(proxy.url());
  const heads: string[] = [];
  for (const request of ["HEAD /", "GET /204", "GET /304", "GET /"]) {
    const whole = request === "GET /" ? "hello" : "\r\n\r\n";
    const answer = read(socket, (text) => text.endsWith(whole));
    socket.write(`${request} HTTP/1.1\r\nhost: a\r\n\r\n`);
    heads.push(await answer);
  }
  assert.deepEqual(heads.map((head) => head.split(" ")[1]), ["200", "204", "304", "200"]);
  assert.match(heads[0]!, /content-length: 5\r\n/);
  assert.ok(!/content-length|transfer-encoding/.test(heads[1]!));
  assert.match(heads[2]!, /content-length: 9\r\n/);
  socket.destroy();
  up.server.close();
});

Deno.test("Chunked bodies and trailers pass both ways", async () => {
  let seen = "";
  const up = await origin((socket) => {
    socket.on("data", (bytes: Uint8Array) => {
      seen += new TextDecoder("latin1").decode(bytes);
      if (!/\r\n0\r\n.*\r\n\r\n$/s.test(seen)) return;
      socket.write(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n" +
          "3;ext=1\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n",
      );
    });
  });
  await using proxy = await proxyTo(up.address);
  const socket = dial(proxy.url());
  const answer = read(socket, (text) => /\r\n0\r\n.*\r\n\r\n$/s.test(text));
  socket.write(
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nte: trailers\r\n\r\n" +
      "5;x=y\r\nhello\r\n0\r\ngrpc-status: 5\r\nauthorization: smuggled\r\n\r\n",
  );
  const text = await answer;
  assert.match(text, /3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n$/);
  assert.match(seen, /5\r\nhello\r\n0\r\n/);
  assert.ok(!seen.includes("smuggled"), "a trailer may not smuggle a header in");
  assert.ok(!seen.includes(";x=y"), "chunk extensions end here");
  socket.destroy();
  up.server.close();
});

const HANDSHAKE = {
  version: "sec-websocket-version: 13\r\n",
  key: "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
};

Deno.test("What asks for a tunnel and may have none is refused with the reason, h2c is answered as HTTP/1.1", async (t) => {
  const heads: string[] = [];
  const up = await origin((socket) => {
    socket.on("data", (bytes: Uint8Array) => {
      heads.push(new TextDecoder("latin1").decode(bytes).toLowerCase());
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  const all = route("all", { backendRefs: [{ name: "origin", port: 80 }] });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("origin", up.address),
    { ...all, spec: { ...all.spec, hostnames: ["a.example"] } },
  ]);
  /** The whole answer: up to the end of the connection. */
  const ask = async (request: string): Promise<string> => {
    const socket = dial(proxy.url());
    const answer = read(socket, () => false);
    socket.write(request);
    const text = await answer;
    socket.destroy();
    return text;
  };
  const upgrade = (fields: string, method = "GET"): Promise<string> =>
    ask(`${method} / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\n${fields}\r\n`);
  const refused = (text: string, status: number, fault: string): void => {
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\ndenim-fault: ${fault}\r\n`));
    assert.match(text, new RegExp(`\r\nconnection: close\r\n[^]*\\(${fault}\\)\n$`));
  };
  const { version, key } = HANDSHAKE;
  const websocket = "upgrade: websocket\r\n";

  await t.step("a WebSocket handshake without a version, or of another one", async () => {
    for (const wrong of ["", "sec-websocket-version: 8\r\n", version + version]) {
      const text = await upgrade(websocket + wrong + key);
      refused(text, 426, "h1.websocket_version");
      // RFC 6455 4.4: it is told which version to come back with.
      assert.match(text, /\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n/);
    }
  });
  await t.step("a WebSocket handshake without a key, with a bad one, or no GET", async () => {
    refused(await upgrade(websocket + version), 400, "h1.bad_handshake");
    const short = "sec-websocket-key: c2hvcnQ=\r\n";
    refused(await upgrade(websocket + version + short), 400, "h1.bad_handshake");
    refused(await upgrade(websocket + version + key, "POST"), 400, "h1.bad_handshake");
  });
  await t.step("a WebSocket handshake with a body", async () => {
    const body = "content-length: 2\r\n";
    refused(await upgrade(websocket + version + key + body), 400, "h1.upgrade_with_body");
  });
  await t.step("another protocol, also beside websocket", async () => {
    refused(await upgrade("upgrade: irc/6.9\r\n"), 501, "h1.upgrade_refused");
    refused(await upgrade("upgrade: websocket, foo\r\n"), 501, "h1.upgrade_refused");
  });
  await t.step("CONNECT to anywhere through an edge, or without a port", async () => {
    for (const to of ["db:5432", "a.example:80"]) {
      const answer = await ask(`CONNECT ${to} HTTP/1.1\r\nhost: ${to}\r\n\r\n`);
      refused(answer, 405, "route.no_tunnel");
    }
    refused(await ask("CONNECT db HTTP/1.1\r\nhost: db\r\n\r\n"), 400, "h1.connect_target");
  });
  assert.deepEqual(heads, [], "nothing of all that reached the origin");

  await t.step(
    "h2c is no upgrade: the request goes on as HTTP/1.1, without the offer",
    async () => {
      const text = await ask(
        "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade, http2-settings, close\r\n" +
          "upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
      );
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
      assert.equal(heads.length, 1);
      assert.ok(!/upgrade|http2-settings|h2c/.test(heads[0]!), heads[0]);
    },
  );
  up.server.close();
});
