/** TLS that passes through the edge by the name its client asks for, and bare TCP by its port: to workloads of the mesh. */
import assert from "node:assert/strict";
import { createServer, type TLSSocket } from "node:tls";
import { TestDomain } from "../support/ca.ts";
import { http } from "../support/http.ts";
import { meshService, startMesh, type TestMesh } from "../support/mesh.ts";
import { TcpApp, TcpClient } from "../support/tcp.ts";

const domain = new TestDomain("shop.test");

/** A TLS server of its own certificate that says its name and then echoes. */
async function tlsApp(name: string) {
  const { chainPem, keyPem } = domain.issue("any", {
    uris: [],
    dnsNames: [`${name}.shop.test`, "*.wild.test"],
    extKeyUsage: ["1.3.6.1.5.5.7.3.1"],
  });
  const server = createServer({ cert: chainPem, key: keyPem }, (socket: TLSSocket) => {
    socket.on("error", () => {});
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function routeOf(
  kind: "TCPRoute" | "TLSRoute",
  name: string,
  sectionName: string,
  backendRefs: readonly unknown[],
  hostnames?: readonly string[],
): unknown {
  return {
    apiVersion: `gateway.networking.k8s.io/${kind === "TLSRoute" ? "v1alpha3" : "v1alpha2"}`,
    kind,
    metadata: { name },
    spec: {
      parentRefs: [{ name: "edge", sectionName }],
      ...(hostnames === undefined ? {} : { hostnames }),
      rules: [{ backendRefs }],
    },
  };
}

/** The gateway, with another listener in the place of its first one. */
const listeners = (first: unknown): unknown => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "edge" },
  spec: {
    listeners: [
      first,
      { name: "secure", port: 0, protocol: "TLS", tls: { mode: "Passthrough" } },
      { name: "split", port: 0, protocol: "TCP" },
    ],
  },
});

function resources(ports: { a: number; b: number; one: number; two: number }): unknown[] {
  const workload = (name: string, port: number, protocol: string, target: number) =>
    meshService(name, { ports: [{ port: 80 }, { port, protocol, targetPort: target }] });
  return [
    listeners({ name: "http", port: 0, protocol: "HTTP" }),
    workload("a", 8443, "TLS", ports.a),
    workload("b", 8443, "TLS", ports.b),
    workload("one", 7000, "TCP", ports.one),
    workload("two", 7000, "TCP", ports.two),
    routeOf("TLSRoute", "exact", "secure", [{ name: "a", port: 8443 }], ["a.shop.test"]),
    routeOf("TLSRoute", "wild", "secure", [{ name: "b", port: 8443 }], [
      "*.wild.test",
      "b.shop.test",
    ]),
    routeOf("TCPRoute", "split", "split", [
      { name: "one", port: 7000, weight: 1 },
      { name: "two", port: 7000, weight: 1 },
    ]),
  ];
}

Deno.test("The edge passes TLS and TCP through to workloads of the mesh", async (t) => {
  await using a = await tlsApp("a");
  await using b = await tlsApp("b");
  await using one = await TcpApp.start((socket) => socket.end("one"));
  await using two = await TcpApp.start((socket) => socket.end("two"));
  await using mesh = await startMesh({
    services: ["a", "b", "one", "two"].map((name) => ({ name })),
    proxyFlags: ["--access-log"],
    resources: resources({ a: a.port, b: b.port, one: one.port, two: two.port }),
  });
  const secure = mesh.listener("gateway", "secure");

  for (
    const [host, app] of [["a.shop.test", "a"], ["x.wild.test", "b"], ["B.Shop.Test", "b"]] as const
  ) {
    await t.step(`TLS for ${host} ends at ${app}, whose certificate the client sees`, async () => {
      using conn = await tlsTo(secure, host);
      assert.equal(await readText(conn, 2), `${app}\n`);
      await conn.write(new TextEncoder().encode("over the mesh"));
      assert.equal(await readText(conn, 13), "over the mesh");
    });
  }

  await t.step("the log of the edge has the name that was asked for", async () => {
    const line = await mesh.logged(
      "gateway",
      (one) => String(one["authority"]).startsWith("a.shop.test:") && one["method"] === "CONNECT",
    );
    assert.deepEqual([line["route"], line["backend"]], ["default/exact", "default/a:8443"]);
    assert.ok(Number(line["bytes_up"]) > 200 && Number(line["bytes_down"]) > 500);
  });

  await t.step(
    "openssl gets through too, and is told by an alert when nobody has the name",
    async () => {
      if (!await hasOpenssl()) return console.log("skipped: there is no openssl on the PATH");
      const good = await openssl(secure, "a.shop.test");
      assert.match(good, /Verify return code: 0 \(ok\)/);
      assert.match(good, /Verified peername: a\.shop\.test/);
      const unknown = await openssl(secure, "nobody.shop.test");
      assert.match(unknown, /unrecognized name/);
      await refused(mesh, "secure", "route.none");
      const nameless = await openssl(secure, null);
      assert.match(nameless, /unrecognized name/);
    },
  );

  await t.step("openssl reaches a TLS port by CONNECT at a sidecar's outbound port", async () => {
    if (!await hasOpenssl()) return console.log("skipped: there is no openssl on the PATH");
    const proxy = mesh.outbound("one").slice("http://".length);
    const said = await openssl("b:8443", "b.shop.test", ["-proxy", proxy]);
    assert.match(said, /Verify return code: 0 \(ok\)/);
    assert.match(said, /Verified peername: b\.shop\.test/);
  });

  await t.step("what is no TLS is cut at once, and the log says why", async () => {
    using client = new TcpClient(secure);
    client.send("GET / HTTP/1.1\r\nhost: a.shop.test\r\n\r\n");
    await client.until(({ closed }) => closed === "ECONNRESET");
    assert.equal(client.text, "");
    await refused(mesh, "secure", "tls.not_tls");
  });

  await t.step("a hello that dribbles in single bytes is routed all the same", async () => {
    const hello = await helloFor("b.shop.test");
    using client = new TcpClient(secure);
    client.socket.setNoDelay(true);
    for (const byte of hello) {
      await new Promise<void>((resolve) =>
        client.socket.write(new Uint8Array([byte]), () => resolve())
      );
    }
    // A ServerHello (handshake record) and not an alert.
    await client.until(({ text }) => text.length > 100);
    assert.equal(client.text.slice(0, 2), "\x16\x03");
  });

  await t.step("a TCPRoute shares connections out by weight", async () => {
    const seen: Record<string, number> = { one: 0, two: 0 };
    for (let i = 0; i < 40; i++) {
      using client = new TcpClient(mesh.listener("gateway", "split"));
      await client.until(({ ended }) => ended);
      client.end();
      seen[client.text]!++;
    }
    assert.equal(seen["one"]! + seen["two"]!, 40);
    // Each is missed with a probability of 2⁻⁴⁰.
    assert.ok(seen["one"]! > 0 && seen["two"]! > 0, JSON.stringify(seen));
  });

  await t.step("a listener changes its protocol at the port it has, and back", async () => {
    const address = mesh.gatewayUrl.slice("http://".length);
    const port = Number(address.split(":")[1]);
    await mesh.apply([
      listeners({ name: "http", port, protocol: "TCP" }),
      routeOf("TCPRoute", "was-http", "http", [{ name: "one", port: 7000 }]),
    ]);
    using client = new TcpClient(address);
    await client.until(({ text }) => text === "one");
    await mesh.apply([
      listeners({ name: "http", port, protocol: "HTTP" }),
      routeOf("TCPRoute", "was-http", "split", [{ name: "one", port: 7000 }]),
    ]);
    assert.equal((await http(mesh.gatewayUrl)).status, 404);
  });

  await t.step("a listener is called otherwise at the port it has", async () => {
    const port = Number(new URL(mesh.gatewayUrl).port);
    using kept = new TcpClient(`127.0.0.1:${port}`);
    const answers = async (n: number): Promise<void> => {
      kept.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      await kept.until(({ text }) => text.split("HTTP/1.1 404 ").length === n + 1);
    };
    await answers(1);
    await mesh.apply([listeners({ name: "web", port, protocol: "HTTP" })]);
    await answers(2);
    assert.equal((await http(mesh.gatewayUrl)).status, 404);
  });
});

async function refused(mesh: TestMesh, listener: string, reason: string): Promise<void> {
  await mesh.logged(
    "gateway",
    (line) =>
      line["msg"] === "inbound.refused" && line["listener"] === listener &&
      line["reason"] === reason,
  );
}

function place(address: string): { hostname: string; port: number } {
  const [hostname, port] = address.split(":");
  return { hostname: hostname!, port: Number(port) };
}

async function tlsTo(address: string, hostname: string): Promise<Deno.TlsConn> {
  const conn = await Deno.connect(place(address));
  return await Deno.startTls(conn, { hostname, caCerts: [domain.rootPem] });
}

async function readText(conn: Deno.Conn, bytes: number): Promise<string> {
  const buffer = new Uint8Array(1024);
  let text = "";
  while (text.length < bytes) {
    const n = await conn.read(buffer);
    if (n === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, n));
  }
  return text;
}

/** The bytes of Deno's own ClientHello. */
async function helloFor(hostname: string): Promise<Uint8Array> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const handshake = Deno.startTls(conn, { hostname }).then((tls) => tls.handshake()).catch(
    () => {},
  );
  using server = await accepted;
  const buffer = new Uint8Array(8192);
  const n = await server.read(buffer);
  server.close();
  listener.close();
  await handshake;
  return buffer.slice(0, n!);
}

async function hasOpenssl(): Promise<boolean> {
  try {
    return (await new Deno.Command("openssl", { args: ["version"] }).output()).success;
  } catch {
    return false;
  }
}

/** What `openssl s_client` says; null: it names no host. */
async function openssl(
  address: string,
  name: string | null,
  more: readonly string[] = [],
): Promise<string> {
  const ca = await Deno.makeTempFile({ suffix: ".pem" });
  await Deno.writeTextFile(ca, domain.rootPem);
  const named = name === null ? ["-noservername"] : ["-servername", name, "-verify_hostname", name];
  const { stdout, stderr } = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", address, "-CAfile", ca, ...named, ...more],
    stdin: "null",
  }).output();
  await Deno.remove(ca);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
