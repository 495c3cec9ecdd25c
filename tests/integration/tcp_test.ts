/** Service ports of protocol TCP through two sidecars: real processes, raw sockets on both ends. */
import assert from "node:assert/strict";
import { http } from "../support/http.ts";
import { meshService, startMesh, type TestMesh, until } from "../support/mesh.ts";
import { echo, latin1, pour, TcpApp, TcpClient } from "../support/tcp.ts";

const MIB = 1024 * 1024;

/** `db` has an HTTP port and ports that are none; `web` calls it. */
async function meshWith(apps: { echo: TcpApp; greeter: TcpApp; bulk: TcpApp }): Promise<TestMesh> {
  return await startMesh({
    gateway: false,
    proxyFlags: ["--access-log"],
    services: [
      {
        name: "web",
        flags: [
          ...["--upstream", "db:7000=127.0.0.1:0", "--upstream", "db:7001=127.0.0.1:0"],
          ...["--upstream", "db.default:7002=127.0.0.1:0", "--upstream", "db:7003=127.0.0.1:0"],
          ...["--upstream", "db:80=127.0.0.1:0", "--upstream", "nobody:1=127.0.0.1:0"],
        ],
      },
      {
        name: "db",
        app: () => new Response("http"),
        flags: [
          ...["--app-port", `700=${apps.echo.address}`, "--app-port", "703=127.0.0.1:1"],
          ...["--app-port", `702=${apps.bulk.address}`],
        ],
      },
    ],
    resources: [
      meshService("db", {
        ports: [
          { name: "http", port: 80 },
          { name: "echo", port: 7000, protocol: "TCP", targetPort: 700 },
          { name: "greeter", port: 7001, protocol: "TCP", targetPort: apps.greeter.port },
          { name: "bulk", port: 7002, protocol: "TCP", targetPort: 702 },
          { name: "dead", port: 7003, protocol: "TCP", targetPort: 703 },
        ],
      }),
    ],
  });
}

Deno.test("TCP ports of a Service through two sidecars", async (t) => {
  let swallowed = 0, poured = 0, looks = 0, seen = 0;
  /** The same at ten looks in a row. */
  const stands = (value: number): boolean => {
    looks = value === seen ? looks + 1 : 0;
    seen = value;
    return looks >= 10;
  };
  await using echoing = await TcpApp.start(echo);
  await using greeter = await TcpApp.start((socket) => {
    socket.write("220 ready\r\n");
    socket.on("data", (bytes: Uint8Array) => {
      if (latin1(bytes) === "cut") socket.resetAndDestroy();
      else socket.write(bytes);
    });
    socket.on("end", () => socket.end("bye\r\n"));
  });
  await using bulk = await TcpApp.start((socket) => {
    socket.on("data", (bytes: Uint8Array) => void (swallowed += bytes.length));
    socket.on("end", async () => {
      await pour(socket, 100 * MIB, (sent) => poured = sent);
      socket.end();
    });
  });
  await using mesh = await meshWith({ echo: echoing, greeter, bulk });
  const dial = (name: string): TcpClient => new TcpClient(mesh.listener("web", name));

  await t.step("an echo comes back whole, and each direction ends by itself", async () => {
    using client = dial("db:7000");
    client.send("one ");
    await client.until(({ text }) => text === "one ");
    client.send("two").end();
    await client.until(({ text, ended }) => text === "one two" && ended);
    await client.until(({ closed }) => closed === "");
  });

  await t.step(
    "a server that speaks first is heard before the client has sent a byte",
    async () => {
      using client = dial("db:7001");
      await client.until(({ text }) => text === "220 ready\r\n");
      client.send("hello\r\n");
      await client.until(({ text }) => text.endsWith("hello\r\n"));
      client.end();
      await client.until(({ text, ended }) => text.endsWith("bye\r\n") && ended);
    },
  );

  await t.step("a CONNECT to the outbound port opens the same tunnel", async () => {
    using client = new TcpClient(mesh.outbound("web").slice("http://".length));
    client.send("CONNECT db:7001 HTTP/1.1\r\nhost: db:7001\r\n\r\n");
    await client.until(({ text }) => /^HTTP\/1\.1 200 .*\r\n\r\n220 ready\r\n$/s.test(text));
    client.send("hello");
    await client.until(({ text }) => text.endsWith("hello"));
  });

  await t.step("HTTP beside it goes to the main port", async () => {
    const { status, body } = await http(mesh.outbound("web"), { headers: { host: "db" } });
    assert.deepEqual([status, body], [200, "http"]);
  });

  await t.step("plain requests to a TCP port get 405", async () => {
    const plain = await http(mesh.outbound("web"), { headers: { host: "db:7000" } });
    assert.deepEqual([plain.status, plain.headers["denim-fault"]], [405, "route.tunnel_only"]);
  });

  await t.step("who gets no tunnel is reset, and the log says why", async () => {
    for (
      const [name, reason] of [
        ["db:7003", "upstream.connect"],
        ["db:80", "route.no_tunnel"],
        ["nobody:1", "route.unknown_host"],
      ] as const
    ) {
      using client = dial(name);
      await client.until(({ closed }) => closed === "ECONNRESET", `${name} reset`);
      await mesh.logged(
        "web",
        (line) =>
          line["msg"] === "inbound.refused" && line["reason"] === reason &&
          line["listener"] === `upstream ${name}`,
      );
    }
  });

  await t.step(
    "a client that cuts takes the server's connection with it, and the reverse",
    async () => {
      const before = greeter.open;
      using cutter = dial("db:7001");
      await cutter.until(({ text }) => text === "220 ready\r\n");
      cutter.socket.resetAndDestroy();
      await until(() => greeter.open === before ? true : null, 5_000);
      using client = dial("db:7001");
      await client.until(({ text }) => text === "220 ready\r\n");
      client.send("cut");
      await client.until(({ closed, ended }) => closed === "ECONNRESET" && !ended, "a reset");
    },
  );

  await t.step(
    "100 MiB each way are the same bytes in flat memory, to a client that reads late",
    async () => {
      const rss = async (): Promise<number> => await rssOf(mesh, "web") + await rssOf(mesh, "db");
      using client = new TcpClient(mesh.listener("web", "db.default:7002"), { keep: false });
      // What a process takes to get going is no leak.
      using first = new TcpClient(mesh.listener("web", "db.default:7002"), { keep: false });
      await pour(first.socket, 32 * MIB);
      first.end();
      await until(() => first.bytes === 100 * MIB ? true : null, 30_000);
      poured = swallowed = 0;
      const before = await rss();
      const sent = await pour(client.socket, 100 * MIB);
      client.socket.pause();
      client.end();
      await until(() => swallowed === 100 * MIB ? true : null, 30_000);
      // Now the server sends into a client that does not read: nothing may pile up in between.
      await until(() => poured > 0 && stands(poured) ? true : null, 30_000);
      assert.ok(poured < 64 * MIB, `the server could send ${poured} bytes`);
      const most = await rss();
      client.socket.resume();
      await until(() => client.bytes === 100 * MIB ? true : null, 30_000);
      await client.until(({ ended }) => ended);
      assert.equal(client.digest(), sent);
      const grown = (Math.max(most, await rss()) - before) / MIB;
      assert.ok(grown < 64, `both sidecars together grew by ${grown.toFixed(0)} MiB`);
    },
  );

  await t.step(
    "bytes are counted on both sides and each tunnel is a line in the access log",
    async () => {
      const up = await metric(mesh, "db", /^denim_tunnel_bytes_total\{.*"up".*\} (\d+)$/gm);
      const down = await metric(mesh, "web", /^denim_tunnel_bytes_total\{.*"down".*\} (\d+)$/gm);
      assert.ok(up >= 100 * MIB, `up ${up}`);
      assert.ok(down >= 100 * MIB, `down ${down}`);
      const line = await mesh.logged(
        "db",
        (one) => one["method"] === "CONNECT" && one["bytes_up"] === 7 && one["bytes_down"] === 7,
      );
      assert.equal(line["peer"], "spiffe://mesh.local/ns/default/sa/web");
      assert.equal(line["route"], "default/db:7000");
      assert.equal(line["status"], 200);
    },
  );
});

async function rssOf(mesh: TestMesh, key: string): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${mesh.process(key).line!["pid"]}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** The sum of all series that match. */
async function metric(mesh: TestMesh, key: string, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${mesh.admin(key)}/metrics`)).text();
  let sum = 0;
  for (const [, value] of text.matchAll(pattern)) sum += Number(value);
  return sum;
}
