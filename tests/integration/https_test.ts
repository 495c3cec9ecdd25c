/** HTTPS listeners of a gateway: certificates by name, both HTTP versions, renewal, and keys that stay hidden. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TestSvid } from "../support/ca.ts";
import { ModelDecoder } from "../property/hpack_model.ts";
import { freePort } from "../support/free_port.ts";
import { HEADERS, RawH2 } from "../support/h2.ts";
import { Origin } from "../support/origin.ts";
import { service, StandaloneProxy } from "../support/standalone.ts";
import { ask, dialTls, PublicAuthority, tlsSecret } from "../support/tls.ts";

const authority = new PublicAuthority();
const ca = authority.rootPem;

interface ListenerOptions {
  readonly name: string;
  readonly port: number;
  readonly hostname?: string;
  readonly tls: unknown;
}

function gateway(...listeners: ListenerOptions[]): unknown {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: { listeners: listeners.map((one) => ({ ...one, protocol: "HTTPS" })) },
  };
}

const withSecret = (...names: string[]) => ({
  mode: "Terminate",
  certificateRefs: names.map((name) => ({ name })),
});

function route(name: string, spec: Record<string, unknown> = {}): unknown {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name },
    spec: {
      parentRefs: [{ name: "edge" }],
      rules: [{ backendRefs: [{ name: "web", port: 80 }] }],
      ...spec,
    },
  };
}

interface WebOptions {
  readonly hostname?: string;
  readonly svid?: TestSvid;
  readonly more?: readonly unknown[];
}

/** A gateway with one HTTPS listener, "https", in front of `origin`. */
function startWeb(
  origin: Origin,
  { svid = authority.issue("web.test"), more = [], ...listener }: WebOptions = {},
): Promise<StandaloneProxy> {
  return StandaloneProxy.start([
    gateway({ name: "https", port: 0, ...listener, tls: withSecret("web") }),
    tlsSecret("web", svid),
    service("web", origin.address),
    route("web"),
    ...more,
  ]);
}

/** Names of the certificate a client was shown. */
function shown(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subjectaltname);
}

const get = (host: string): string =>
  `GET /path HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;

Deno.test("A gateway chooses the certificate by the name a client asks for", async () => {
  await using origin = await Origin.start({ answer: () => ({ body: "hello" }) });
  const port = freePort();
  const [a, b, c] = [
    authority.issue("a.test"),
    authority.issue("*.b.test"),
    authority.issue("deep.b.test"),
  ];
  await using proxy = await StandaloneProxy.start([
    gateway(
      { name: "a", port, hostname: "a.test", tls: withSecret("a") },
      { name: "b", port, hostname: "*.b.test", tls: withSecret("b", "c") },
    ),
    tlsSecret("a", a),
    tlsSecret("b", b),
    tlsSecret("c", c),
    service("web", origin.address),
    route("web"),
  ]);
  const place = proxy.ready.listeners["a"]!;
  const sees = async (servername: string, names: string): Promise<void> => {
    const socket = await dialTls({ place, servername, ca });
    assert.equal(shown(socket), names);
    assert.match(await ask(socket, get(servername)), /^HTTP\/1\.1 200 [^]*hello$/);
  };
  await sees("a.test", "DNS:a.test");
  await sees("A.test", "DNS:a.test");
  await sees("shop.b.test", "DNS:*.b.test");
  await sees("deep.b.test", "DNS:deep.b.test"); // the second of its certificates bears the very name
  assert.equal(origin.requests[0]!.headers["x-forwarded-proto"], "https");

  for (const servername of ["other.test", "b.test"]) {
    await assert.rejects(dialTls({ place, servername, ca }), `${servername} has no listener`);
  }
  // A host without a route of its listener is unknown there, whatever the certificate.
  const socket = await dialTls({ place, servername: "a.test", ca });
  assert.match(await ask(socket, get("other.test")), /^HTTP\/1\.1 404 /);
  const log = await proxy.stop();
  assert.match(log, /"inbound\.refused".*no listener is for \\"other\.test\\"/);
  for (const { keyPem } of [a, b, c]) {
    assert.ok(!log.includes(keyPem.split("\n")[1]!), "a private key is in the log");
  }
});

Deno.test("A request that came by the connection of another listener gets 421, in either version", async () => {
  await using origin = await Origin.start({ answer: () => ({ body: "hello" }) });
  const port = freePort();
  await using proxy = await StandaloneProxy.start([
    gateway(
      { name: "a", port, hostname: "a.web.test", tls: withSecret("web") },
      { name: "wild", port, hostname: "*.web.test", tls: withSecret("web") },
    ),
    tlsSecret("web", authority.issue("a.web.test", "*.web.test")),
    service("web", origin.address),
    route("web"),
  ], ["--access-log"]);
  const place = proxy.ready.listeners["a"]!;
  const answer = async (servername: string, host: string): Promise<string> =>
    await ask(await dialTls({ place, servername, ca }), get(host));
  for (
    const [servername, host] of [["a.web.test", "b.web.test"], [
      "b.web.test",
      `a.web.test:${port}`,
    ]] as const
  ) {
    const said = await answer(servername, host);
    assert.match(said, /^HTTP\/1\.1 421 Misdirected Request\r\n/);
    assert.match(said, /\r\ndenim-fault: route\.misdirected\r\n[^]*Another listener of this port/);
  }
  assert.match(await answer("a.web.test", "a.web.test"), /^HTTP\/1\.1 200 /);
  assert.match(await answer("b.web.test", "c.d.web.test"), /^HTTP\/1\.1 200 /); // one listener is for both
  assert.match(await answer("a.web.test", "elsewhere"), /^HTTP\/1\.1 404 /); // nobody's

  // The connection goes on: only the request was wrong here.
  const socket = await dialTls({ place, servername: "a.web.test", ca, alpn: ["h2"] });
  const client = new RawH2(socket);
  const hpack = new ModelDecoder();
  for (const [id, host, status] of [[1, "b.web.test", "421"], [3, "a.web.test", "200"]] as const) {
    client.get(id, "/path", host);
    const { payload } = await client.frame(HEADERS, id);
    assert.deepEqual(hpack.decode(payload).slice(0, 2), [":status", status]);
  }
  socket.destroy();
  const labels = 'listener="a",route="(misdirected)",backend="",code="4xx"';
  assert.equal(await proxy.metric(`denim_requests_total{${labels}}`), 3);
  assert.equal(origin.requests.length, 3);
  assert.match(await proxy.stop(), /"status":421.*"route\.misdirected"/);
});

Deno.test("A listener for all names shows its certificate also to clients that name none", async () => {
  await using origin = await Origin.start();
  await using proxy = await startWeb(origin);
  const place = proxy.ready.listeners["https"]!;
  const named = await dialTls({ place, servername: "web.test", ca });
  assert.match(await ask(named, get("web.test")), /^HTTP\/1\.1 200 /);
  // An address is no server name, so none is sent; nor is it in the certificate.
  await assert.rejects(dialTls({ place, servername: "", ca }), /altname|Hostname|name/i);
});

Deno.test("A gateway speaks HTTP/2 and HTTP/1.1 over TLS, as its client likes", async () => {
  await using origin = await Origin.start({ answer: () => ({ body: "hello" }) });
  await using proxy = await startWeb(origin, { hostname: "web.test" });
  const hello = { place: proxy.ready.listeners["https"]!, servername: "web.test", ca };
  for (
    const [alpn, chosen] of [
      [["h2", "http/1.1"], "h2"],
      [["http/1.1", "h2"], "h2"],
      [["http/1.1"], "http/1.1"],
      [[], false],
    ] as const
  ) {
    const socket = await dialTls({ ...hello, alpn });
    assert.equal(socket.alpnProtocol, chosen);
    if (chosen === "h2") {
      const client = new RawH2(socket).get(1, "/path", "web.test");
      const head = await client.frame(HEADERS, 1);
      assert.equal(head.payload[0], 0x88, "indexed :status 200");
      socket.destroy();
    } else assert.match(await ask(socket, get("web.test")), /^HTTP\/1\.1 200 [^]*hello$/);
  }
  await assert.rejects(dialTls({ ...hello, alpn: ["spdy/3"] }));
  assert.equal(origin.requests.length, 4);
  assert.deepEqual(
    new Set(origin.requests.map((one) => one.headers["x-forwarded-proto"])),
    new Set(["https"]),
  );
});

Deno.test("Plaintext on an HTTPS listener gets no answer, and the next client is served", async () => {
  await using origin = await Origin.start();
  await using proxy = await startWeb(origin);
  const place = proxy.ready.listeners["https"]!;
  const [host, port] = place.split(":");
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect({ host: host!, port: Number(port) });
    socket.on("data", (bytes) => text += bytes);
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.write(get("web.test"));
  });
  assert.ok(!answer.includes("HTTP"), answer);
  const socket = await dialTls({ place, servername: "web.test", ca });
  assert.match(await ask(socket, get("web.test")), /^HTTP\/1\.1 200 /);
});

Deno.test("Certificate files that change are in force without a restart or a lost connection", async () => {
  const dir = await Deno.makeTempDir({ prefix: "denim-https-" });
  try {
    const write = async (...names: string[]): Promise<void> => {
      const { chainPem, keyPem } = authority.issue("web.test", ...names);
      await Deno.writeTextFile(`${dir}/tls.crt`, chainPem); // the two do not fit for a moment
      await Deno.writeTextFile(`${dir}/tls.key`, keyPem);
    };
    await write("first.test");
    await using origin = await Origin.start();
    await using proxy = await StandaloneProxy.start([
      gateway({
        name: "https",
        port: 0,
        tls: {
          mode: "Terminate",
          options: {
            "denim.dev/certificate-file": `${dir}/tls.crt`,
            "denim.dev/key-file": `${dir}/tls.key`,
          },
        },
      }),
      service("web", origin.address),
      route("web"),
    ]);
    const hello = { place: proxy.ready.listeners["https"]!, servername: "web.test", ca };
    const kept = await dialTls(hello);
    assert.equal(shown(kept), "DNS:web.test, DNS:first.test");
    await write("second.test");
    let names = "";
    for (let tries = 0; !names.includes("second.test") && tries < 200; tries++) {
      await new Promise((turn) => setTimeout(turn, 50));
      const socket = await dialTls(hello);
      names = shown(socket);
      socket.destroy();
    }
    assert.equal(names, "DNS:web.test, DNS:second.test");
    assert.match(await ask(kept, get("web.test")), /^HTTP\/1\.1 200 /);
    const series =
      'denim_certificate_expires_seconds{listener="https",certificate="default/file.edge.https"}';
    assert.ok(await proxy.metric(series) > Date.now() / 1000);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("A private key is in nothing a gateway shows", async () => {
  await using origin = await Origin.start();
  const svid = authority.issue("web.test");
  await using proxy = await startWeb(origin, { svid });
  const secrets = [svid.keyPem.split("\n")[1]!, btoa(svid.keyPem).slice(40, 80)];
  for (const page of ["config_dump", "stats", "metrics"]) {
    const text = await (await fetch(`${proxy.ready.admin}/${page}`)).text();
    for (const one of secrets) assert.ok(!text.includes(one), page);
    if (page === "config_dump") assert.ok(text.includes("BEGIN CERTIFICATE"));
  }
});

Deno.test("A certificate that is of no use stops the start, and the reason has no key in it", async () => {
  const [a, b] = [authority.issue("a.test"), authority.issue("b.test")];
  const starts = async (secret: unknown): Promise<string> => {
    try {
      await using _proxy = await StandaloneProxy.start([
        gateway({ name: "https", port: 0, tls: withSecret("web") }),
        secret,
      ]);
    } catch (error) {
      return String(error);
    }
    return "";
  };
  const mixed = await starts(tlsSecret("web", { ...a, keyPem: b.keyPem }));
  assert.match(
    mixed,
    /Secret default\/web data\["tls\.key"\] does not belong to the first certificate/,
  );
  const broken = await starts(tlsSecret("web", { ...a, keyPem: a.keyPem.replace("\n", "\nAAAA") }));
  assert.match(broken, /Secret default\/web data\["tls\.key"\] cannot be read, wanted base64/);
  for (const text of [mixed, broken]) {
    assert.ok(
      !text.includes(btoa(a.keyPem).slice(40, 80)) && !text.includes(a.keyPem.slice(40, 80)),
    );
  }
  assert.match(await starts(service("x", "127.0.0.1:1")), /names Secret "default\/web"/);
});

Deno.test("A trusted load balancer names the client before TLS begins", async () => {
  await using origin = await Origin.start();
  await using proxy = await startWeb(origin, {
    more: [{
      apiVersion: "denim.dev/v1",
      kind: "TrafficPolicy",
      metadata: { name: "edge" },
      spec: {
        targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" }],
        proxyProtocol: { trusted: ["127.0.0.0/8"] },
      },
    }],
  });
  const [host, port] = proxy.ready.listeners["https"]!.split(":");
  const { connect: connectTls } = await import("node:tls");
  const raw = connect({ host: host!, port: Number(port), noDelay: true });
  await new Promise<void>((connected) => raw.once("connect", () => connected()));
  raw.write("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n");
  const socket = connectTls({ socket: raw, servername: "web.test", ca });
  await new Promise<void>((done, fail) => socket.once("secureConnect", done).once("error", fail));
  assert.match(await ask(socket, get("web.test")), /^HTTP\/1\.1 200 /);
  assert.equal(origin.requests[0]!.headers["x-forwarded-for"], "192.0.2.7");
});
