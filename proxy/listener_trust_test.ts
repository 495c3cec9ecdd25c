/** An open connection whose peer ceases to be trusted: first a chance to finish, then the end. */
import assert from "node:assert/strict";
import { createLog, silentLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { Buffered } from "../core/buffered.ts";
import { BUSY, type Codec } from "../core/stream.ts";
import { connect, type TLSSocket } from "node:tls";
import { TestDomain } from "../tests/support/ca.ts";
import { Listener } from "./listener.ts";
import { Overload } from "./overload.ts";
import { LEAST_DESCRIPTORS, Sockets } from "./sockets.ts";
import type { ListenerRuntime } from "./snapshot.ts";
import { MeshIdentity } from "./tls/mod.ts";

const RUNTIME: ListenerRuntime = {
  version: "",
  match: () => assert.fail("no request is made"),
  entered() {},
  left() {},
};

/** An exchange that never ends. */
class BusyCodec implements Codec {
  readonly protocol = "h1" as const;
  readonly phase = BUSY;
  drains = 0;
  receive(): void {}
  eof(): void {}
  drained(): void {}
  drain(): void {
    this.drains++;
  }
  close(): void {}
}

/** Runs `then` with a listener that has one connection, which is busy. */
async function withBusyPeer(
  then: (parts: {
    domain: TestDomain;
    listener: Listener;
    identity: MeshIdentity;
    web: MeshIdentity;
    codec: BusyCodec;
    clock: { ms: number };
    reason: () => string;
    closed: Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const domain = new TestDomain();
  const identity = new MeshIdentity(domain.material("catalog"));
  const web = new MeshIdentity(domain.material("web"));
  const lines: string[] = [];
  const codecs: BusyCodec[] = [];
  const clock = { ms: 0, nowMs: Date.now, monotonicMs: () => clock.ms };
  const listener = new Listener("inbound", RUNTIME, {
    clock,
    log: createLog((line) => lines.push(line)),
    metrics: new Metrics(),
    codec: () => {
      const codec = new BusyCodec();
      codecs.push(codec);
      return codec;
    },
    security: { kind: "mesh", identity },
    limits: { distrustGraceMs: 5000 },
    sockets: new Sockets(LEAST_DESCRIPTORS, new Metrics(), silentLog),
    overload: new Overload({}, new Buffered(), new Metrics(), silentLog),
    shed: RUNTIME,
    renamed() {},
    ended: () => {},
  });
  const { host, port } = await listener.listen("127.0.0.1", 0);
  const socket: TLSSocket = connect({ host, port, ...web.connectOptions(identity.id) });
  const closed = new Promise<void>((done) => socket.on("close", () => done()));
  socket.on("error", () => {});
  await new Promise<void>((done) => socket.on("secureConnect", () => done()));
  while (listener.connections === 0) await new Promise((turn) => setImmediate(turn));

  listener.sweep();
  assert.equal(codecs[0]!.drains, 0);
  const reason = (): string => JSON.parse(lines.at(-1)!).reason;
  await then({ domain, listener, identity, web, codec: codecs[0]!, clock, reason, closed });
  await listener.drain(0);
  assert.equal(listener.connections, 0);
}

Deno.test("Listener drains a connection whose authority went and cuts it when the grace is over", async () => {
  await withBusyPeer(async ({ domain, listener, identity, codec, clock, reason, closed }) => {
    const other = new TestDomain(domain.domain);
    identity.replaceTrust(domain.domain, [other.rootPem]); // sweeps by itself
    assert.equal(codec.drains, 1);
    assert.equal(reason(), "bad_signature");
    clock.ms = 5000;
    listener.sweep();
    assert.equal(listener.connections, 1);
    clock.ms = 5001;
    listener.sweep();
    await closed;
  });
});

Deno.test("Listener cuts a revoked peer's connection at once, though a request is under way", async () => {
  await withBusyPeer(async ({ listener, identity, web, codec, reason, closed }) => {
    identity.revoke({ identities: [web.id] }); // sweeps by itself
    assert.equal(reason(), "revoked");
    assert.equal(codec.drains, 0);
    await closed;
    assert.equal(listener.connections, 0);
  });
});

Deno.test("Listener cuts who is revoked while he was given time to finish", async () => {
  await withBusyPeer(async ({ domain, identity, web, codec, closed }) => {
    identity.replaceTrust(domain.domain, [new TestDomain(domain.domain).rootPem]);
    identity.replaceTrust(domain.domain, [domain.rootPem]);
    identity.revoke({ serials: [web.serial] });
    assert.equal(codec.drains, 1);
    await closed;
  });
});
