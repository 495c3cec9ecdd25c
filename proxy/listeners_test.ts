/** Listeners that a new snapshot calls otherwise, moves or makes something else, while clients are there. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import type { CertificateSpec, ListenerSpec, Snapshot } from "../control/schema/snapshot.ts";
import { holdSocket } from "../cli/supervise/held_socket.ts";
import { Metrics } from "../core/metrics.ts";
import { TestDomain } from "../tests/support/ca.ts";
import { testEngine } from "../tests/support/engine.ts";
import { TcpClient } from "../tests/support/tcp.ts";
import { dialTls } from "../tests/support/tls.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { keyName } from "./tls/mod.ts";

interface Issued {
  readonly keyPem: string;
  readonly spec: CertificateSpec;
}

let versions = 0;

type Place = Pick<ListenerSpec, "name" | "port"> & Partial<ListenerSpec>;

function snapshot(...listeners: readonly Place[]): Snapshot {
  return {
    version: String(++versions),
    node: { kind: "gateway", namespace: "default", name: "edge" },
    listeners: listeners.map((one) => ({ role: "gateway", tls: "none", hosts: [], ...one })),
    backends: {},
    modules: [],
    trust: { domain: "t", bundle: [] },
  };
}

class Rig implements AsyncDisposable {
  readonly metrics = new Metrics();
  /** The listener of each exchange, as the access log names it. */
  readonly seen: string[] = [];
  readonly engine: Engine;
  /** Keeps one connection. */
  readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(options: Partial<EngineOptions> = {}) {
    const accessLog = (_: unknown, listener: string): void => void this.seen.push(listener);
    this.engine = testEngine({ metrics: this.metrics, accessLog, ...options });
  }
  address(name: string): string {
    const address = this.engine.addresses.get(name);
    assert.ok(address !== undefined, `no listener ${name}`);
    return address;
  }
  portOf(name: string): number {
    return Number(this.address(name).split(":")[1]);
  }
  /** The status of one request; there are no routes. */
  get(address: string, agent?: Agent): Promise<number> {
    const [host, port] = address.split(":");
    return new Promise((resolve, reject) => {
      const sent = request({ host, port, agent: agent ?? new Agent() }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode!));
      });
      sent.on("error", reject).end();
    });
  }
  metric(series: string): number {
    const line = this.metrics.render().split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    await this.engine.drain(0);
  }
}

Deno.test("Listeners keep the socket and the connections of one that is called otherwise", async () => {
  await using rig = new Rig();
  await rig.engine.apply(snapshot({ name: "old", port: 0 }));
  const address = rig.address("old");
  assert.equal(await rig.get(address, rig.agent), 404);
  await rig.engine.apply(snapshot({ name: "new", port: rig.portOf("old") }));
  assert.deepEqual([...rig.engine.addresses], [["new", address]]);
  assert.equal(await rig.get(address, rig.agent), 404);
  assert.deepEqual(rig.seen, ["old", "new"]);
  assert.equal(rig.metric('denim_connections_total{listener="old"}'), 1);
  assert.equal(rig.metric('denim_connections_total{listener="new"}'), 0);
  assert.equal(rig.metric('denim_connections_open{listener="old"}'), 0);
  assert.equal(rig.metric('denim_connections_open{listener="new"}'), 1);
  assert.equal(await rig.get(address), 404);
  assert.equal(rig.metric('denim_connections_total{listener="new"}'), 1);
});

Deno.test("Listeners refuse no connection while names change", async () => {
  await using rig = new Rig();
  await rig.engine.apply(snapshot({ name: "n0", port: 0 }));
  const address = rig.address("n0"), port = rig.portOf("n0");
  const asked: Promise<number>[] = [];
  for (let n = 1; n <= 20; n++) {
    const applied = rig.engine.apply(snapshot({ name: `n${n}`, port }));
    asked.push(rig.get(address), rig.get(address));
    await applied;
  }
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([404]));
  assert.equal(rig.seen.length, asked.length);
});

Deno.test("Listeners that swap their names, or their ports, stay where they are", async () => {
  await using rig = new Rig();
  await rig.engine.apply(snapshot({ name: "a", port: 0 }, { name: "b", port: 0 }));
  const [a, b] = [rig.address("a"), rig.address("b")];
  assert.equal(await rig.get(a, rig.agent), 404);
  await rig.engine.apply(
    snapshot({ name: "a", port: rig.portOf("b") }, { name: "b", port: rig.portOf("a") }),
  );
  assert.deepEqual([rig.address("a"), rig.address("b")], [b, a]);
  assert.equal(await rig.get(a, rig.agent), 404);
  assert.equal(await rig.get(b), 404);
  assert.deepEqual(rig.seen, ["a", "b", "a"]);
  assert.equal(rig.metric('denim_connections_open{listener="b"}'), 1);
});

Deno.test("Listeners give a port to another name and another protocol", async () => {
  await using rig = new Rig();
  await rig.engine.apply(snapshot({ name: "http", port: 0 }));
  const address = rig.address("http"), port = rig.portOf("http");
  await rig.engine.apply(snapshot({ name: "db", port, protocol: "tcp" }));
  assert.deepEqual([...rig.engine.addresses], [["db", address]]);
  using client = new TcpClient(address);
  await client.until(({ closed }) => closed !== null); // there is no route
  assert.equal(client.text, "");
  await rig.engine.apply(snapshot({ name: "web", port }));
  assert.equal(await rig.get(address), 404);
  assert.deepEqual(rig.seen, ["db", "web"]);
});

Deno.test("Listeners take the socket a supervisor holds for their port under a former name", async () => {
  const held = holdSocket("127.0.0.1", 0);
  await using rig = new Rig({ inherited: new Map([["old", held]]) });
  const { port } = held;
  await rig.engine.apply(snapshot({ name: "new", port }));
  held.close(); // the descriptor that was handed on is the listener's own
  assert.equal(await rig.get(`127.0.0.1:${port}`), 404);
  // That went with it: the next one binds.
  await rig.engine.apply(snapshot({ name: "old", port, protocol: "tcp" }));
  await rig.engine.apply(snapshot({ name: "old", port }));
  assert.equal(await rig.get(`127.0.0.1:${port}`), 404);
  assert.deepEqual(rig.seen, ["new", "old"]);
});

Deno.test("Listeners change no name when another cannot open", async () => {
  await using rig = new Rig();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port: taken } = other.address() as { port: number };
  await rig.engine.apply(snapshot({ name: "old", port: 0 }));
  const address = rig.address("old"), port = rig.portOf("old");
  await assert.rejects(
    rig.engine.apply(snapshot({ name: "new", port }, { name: "more", port: taken })),
    /Cannot open listener "more" .*: the port is in use/,
  );
  other.close();
  assert.deepEqual([...rig.engine.addresses], [["old", address]]);
  assert.equal(await rig.get(address), 404);
  assert.deepEqual(rig.seen, ["old"]);
});

Deno.test("Listeners show their new certificates when they are called otherwise too", async () => {
  const domain = new TestDomain();
  const issue = (name: string): Issued => {
    const { chainPem, keyPem } = domain.issue("x", { uris: [], dnsNames: ["a.test", name] });
    return { keyPem, spec: { name, hostnames: ["*"], chain: chainPem, key: keyName(keyPem)! } };
  };
  const first = issue("first"), second = issue("second");
  const keys = new Map([first, second].map((one) => [one.spec.key, one.keyPem]));
  await using rig = new Rig({ keys: { get: (name) => Promise.resolve(keys.get(name)!) } });
  const listener = (name: string, port: number, { spec }: Issued): Place => ({
    name,
    port,
    tls: "edge",
    certificates: [spec],
  });
  const shown = async (): Promise<string> => {
    const place = [...rig.engine.addresses.values()][0]!;
    const socket = await dialTls({ place, servername: "a.test", ca: domain.rootPem });
    const names = String(socket.getPeerCertificate().subjectaltname);
    socket.destroy();
    return names;
  };
  await rig.engine.apply(snapshot(listener("old", 0, first)));
  assert.equal(await shown(), "DNS:a.test, DNS:first");
  const port = rig.portOf("old");
  await rig.engine.apply(snapshot(listener("new", port, second)));
  assert.equal(await shown(), "DNS:a.test, DNS:second");
  await rig.engine.apply(snapshot(listener("newer", port, second)));
  assert.equal(await shown(), "DNS:a.test, DNS:second");
  const series = 'denim_certificate_expires_seconds{listener="newer",certificate="second"}';
  assert.ok(rig.metric(series) > 0);
});
