/** A mesh peer that speaks no HTTP/2: requests go to it, and come from it, over HTTP/1.1 and the same mTLS. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { admitPeer, MeshIdentity } from "../../proxy/tls/mod.ts";
import { ASK, SECRET, Sidecar } from "../security/sidecar.ts";
import { TestDomain } from "../support/ca.ts";
import { parseRequest } from "../support/origin.ts";

const domain = new TestDomain("mesh.test");

/** A server of the mesh that offers `alpn`, and counts. */
class Peer implements AsyncDisposable {
  readonly #server: tls.Server;
  readonly #sockets = new Set<tls.TLSSocket>();
  /** Who asked for what, as the peer sees it. */
  readonly asked: string[] = [];
  /** Connections that brought a request. */
  used = 0;

  private constructor(alpn: readonly string[]) {
    const identity = new MeshIdentity(domain.material("old"));
    const { ALPNProtocols: _, ...options } = identity.serverOptions();
    const offer = alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] };
    this.#server = tls.createServer({ ...options, ...offer }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      const admission = admitPeer(socket, identity, "client");
      if (!admission.ok) return void socket.destroy();
      this.#serve(socket, admission.identity);
    });
    this.#server.on("tlsClientError", () => {});
  }

  static async start(...alpn: string[]): Promise<Peer> {
    const peer = new Peer(alpn);
    await new Promise<void>((done) => peer.#server.listen(0, "127.0.0.1", done));
    return peer;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #serve(socket: tls.TLSSocket, identity: string): void {
    let held = "", first = true;
    socket.on("data", (bytes: Uint8Array) => {
      held += new TextDecoder("latin1").decode(bytes);
      for (let one = parseRequest(held); one !== null; one = parseRequest(held)) {
        held = held.slice(one.length);
        if (first) this.used++;
        first = false;
        const { method, path } = one.request;
        this.asked.push(
          `${method} ${path} by ${identity} over ${socket.alpnProtocol || "nothing"}`,
        );
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold");
      }
    });
  }
}

for (const [alpn, over] of [["http/1.1", "http/1.1"], ["", "nothing"]] as const) {
  const said = alpn === "" ? "that negotiates no protocol" : "that speaks HTTP/1.1 only";
  Deno.test(`A sidecar reaches a peer ${said}, on connections that are used again`, async () => {
    await using peer = await (alpn === "" ? Peer.start() : Peer.start(alpn));
    const upstreams = { old: { address: peer.address, identity: domain.id("old") } };
    await using web = await Sidecar.start(domain, { service: "web", upstreams });
    // The first ones come together, while it is not known yet what the peer speaks.
    const together = await Promise.all([web.call("old"), web.call("old"), web.call("old")]);
    for (const answer of together) assert.deepEqual(answer, { status: 200, body: "old" });
    const { used } = peer;
    assert.ok(used <= 3, `${used} connections for three requests`);
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(await web.call("old"), { status: 200, body: "old" });
    }
    assert.equal(peer.used, used, "one after the other they need no other connection");
    assert.deepEqual(
      new Set(peer.asked),
      new Set([`GET / by ${domain.id("web")} over ${over}`]),
    );
  });
}

Deno.test("A peer that speaks HTTP/1.1 only is served as any other", async () => {
  await using victim = await Sidecar.start(domain);
  const identity = new MeshIdentity(domain.material("old"));
  const socket = tls.connect({
    host: "127.0.0.1",
    port: victim.port(),
    ...identity.connectOptions(domain.id("victim"), ["http/1.1"]),
  });
  const answer = await new Promise<string>((done, failed) => {
    let text = "";
    socket.on("secureConnect", () => socket.write(ASK));
    socket.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
    socket.on("end", () => done(text));
    socket.on("error", failed);
  });
  socket.destroy();
  assert.equal(socket.alpnProtocol, "http/1.1");
  assert.match(answer, /^HTTP\/1\.1 200/);
  assert.ok(answer.includes(`${SECRET} for ${domain.id("old")}`), answer);
});
