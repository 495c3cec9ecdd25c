/** The mesh identity on real sockets: who is let in, and rotation that nobody notices. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { TestDomain } from "../../tests/support/ca.ts";
import { readTrustBundle } from "./bundle.ts";
import { joinOptions } from "./client_options.ts";
import { IdentityError, MeshIdentity } from "./context.ts";
import { createKeyAndCsr } from "./csr.ts";
import {
  type Admission,
  admitPeer,
  type AdmittedPeer,
  refuseHandshake,
  stillTrusted,
} from "./peer.ts";
import { decodePem } from "./pem.ts";

const domain = new TestDomain();
const stranger = new TestDomain("mesh.test", { name: "Other" });

/** A server that greets every admitted peer with its identity and keeps every admission. */
class Greeter implements AsyncDisposable {
  readonly admissions: Admission[] = [];
  readonly identity: MeshIdentity;
  readonly #server: tls.Server;
  readonly #sockets = new Set<tls.TLSSocket>();
  readonly #release: () => void;

  private constructor(identity: MeshIdentity) {
    this.identity = identity;
    this.#server = tls.createServer(identity.serverOptions(), (socket) => this.#greet(socket));
    this.#server.on("tlsClientError", () => {});
    this.#release = identity.keepServer(this.#server);
  }

  static async open(identity: MeshIdentity): Promise<Greeter> {
    const greeter = new Greeter(identity);
    await new Promise<void>((done) => greeter.#server.listen(0, "127.0.0.1", done));
    return greeter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #greet(socket: tls.TLSSocket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    const admission = admitPeer(socket, this.identity, "client");
    this.admissions.push(admission);
    if (!admission.ok) return void socket.destroy();
    socket.on("data", (bytes: Uint8Array) => socket.write(bytes));
    socket.write("!");
  }
}

/** Connects, echoes one byte and closes; gives the server's identity or the error's code. */
function visit(port: number, options: tls.ConnectionOptions, as?: MeshIdentity): Promise<string> {
  return new Promise((done) => {
    const socket = tls.connect({ host: "127.0.0.1", port, ...options });
    let result = "refused";
    socket.on("data", () => {
      const peer = as === undefined ? null : admitPeer(socket, as, "server");
      result = peer === null ? "greeted" : peer.ok ? peer.identity : peer.reason;
      socket.end();
    });
    socket.on("error", (error: Error & { code?: string }) => result = error.code ?? "error");
    socket.on("close", () => done(result));
  });
}

Deno.test("MeshIdentity lets two workloads of a domain prove themselves to each other", async () => {
  const web = new MeshIdentity(domain.material("web"));
  const catalog = new MeshIdentity(domain.material("catalog"));
  await using server = await Greeter.open(catalog);
  assert.equal(await visit(server.port, web.connectOptions(catalog.id), web), catalog.id);
  const [admission] = server.admissions;
  assert.equal(admission?.ok && admission.identity, web.id);
});

Deno.test("MeshIdentity.connectOptions ends the handshake when the server is another workload", async () => {
  const web = new MeshIdentity(domain.material("web"));
  await using server = await Greeter.open(new MeshIdentity(domain.material("catalog")));
  assert.equal(
    await visit(server.port, web.connectOptions(domain.id("reviews"))),
    "peer.wrong_identity",
  );
  await using other = await Greeter.open(new MeshIdentity(stranger.material("catalog")));
  assert.notEqual(await visit(other.port, web.connectOptions(domain.id("catalog"))), "greeted");
});

Deno.test("admitPeer refuses clients without, with a stranger's and with a malformed certificate", async () => {
  await using server = await Greeter.open(new MeshIdentity(domain.material("catalog")));
  const base = { ca: [domain.rootPem], checkServerIdentity: () => undefined };
  assert.equal(await visit(server.port, base), "refused");
  const evil = stranger.issue("web");
  assert.equal(
    await visit(server.port, { ...base, key: evil.keyPem, cert: evil.chainPem }),
    "refused",
  );
  const twoNames = domain.issue("web", { uris: [domain.id("web"), domain.id("admin")] });
  assert.equal(
    await visit(server.port, { ...base, key: twoNames.keyPem, cert: twoNames.chainPem }),
    "refused",
  );
  assert.deepEqual(server.admissions.map((one) => one.ok ? one.identity : one.reason), [
    "no_certificate",
    "unknown_authority",
    "san_count",
  ]);
});

Deno.test("joinOptions connects without a certificate to exactly the expected server", async () => {
  const control = new MeshIdentity(domain.material("control-plane"));
  await using server = await Greeter.open(control);
  const trust = readTrustBundle("mesh.test", [domain.rootPem]);
  assert.equal(
    await visit(server.port, joinOptions(trust, domain.id("someone"))),
    "peer.wrong_identity",
  );
  await visit(server.port, joinOptions(trust, control.id));
  const last = server.admissions.at(-1);
  assert.equal(last?.ok === false && last.reason, "no_certificate");
});

Deno.test("MeshIdentity rotates both ends 20 times while connections and requests go on", async () => {
  const web = new MeshIdentity(domain.material("web"));
  const catalog = new MeshIdentity(domain.material("catalog"));
  await using server = await Greeter.open(catalog);
  let visits = 0;
  let echoes = 0;
  let over = false;
  // One connection from before the first swap to after the last, with a byte always under way.
  const old = tls.connect({ host: "127.0.0.1", port: server.port, ...web.connectOptions() });
  const oldClosed = new Promise<void>((done) => old.on("close", () => done()));
  old.on("error", (error) => assert.fail(error));
  old.on("data", () => {
    echoes++;
    if (!over) old.write("?");
  });
  const traffic = Array.from({ length: 4 }, async () => {
    while (!over) {
      assert.equal(await visit(server.port, web.connectOptions(catalog.id), web), catalog.id);
      visits++;
    }
  });
  const seen = new Set<string>();
  for (let swap = 0; swap < 20; swap++) {
    const [before, echoesBefore] = [visits, echoes];
    web.replace(domain.material("web"));
    catalog.replace(domain.material("catalog"));
    seen.add(web.serial).add(catalog.serial);
    // Wait for traffic of this generation, not for time.
    while (visits < before + 5 || echoes <= echoesBefore) {
      assert.equal(await visit(server.port, web.connectOptions(catalog.id), web), catalog.id);
      visits++;
    }
  }
  over = true;
  await Promise.all(traffic);
  old.destroy();
  await oldClosed;
  assert.equal(seen.size, 40);
  assert.ok(server.admissions.every((one) => one.ok));
  const serials = new Set(server.admissions.map((one) => one.ok ? one.serial : ""));
  assert.ok(serials.size > 20, `${serials.size} client certificates were seen`);
});

Deno.test("MeshIdentity moves to a new root through a bundle with both and loses no connection", async () => {
  const next = new TestDomain("mesh.test", { name: "Next" });
  const web = new MeshIdentity(domain.material("web"));
  const catalog = new MeshIdentity(domain.material("catalog"));
  await using server = await Greeter.open(catalog);
  const meet = () => visit(server.port, web.connectOptions(catalog.id), web);
  const both = [domain.rootPem, next.rootPem];
  web.replaceTrust("mesh.test", both);
  assert.equal(await meet(), catalog.id);
  catalog.replaceTrust("mesh.test", both);
  assert.equal(await meet(), catalog.id);
  web.replace({ ...next.material("web"), bundle: both });
  assert.equal(await meet(), catalog.id);
  catalog.replace({ ...next.material("catalog"), bundle: both });
  assert.equal(await meet(), catalog.id);
  const early = server.admissions[0]!;
  assert.ok(early.ok && stillTrusted(early, catalog, Date.now()).ok);
  catalog.replaceTrust("mesh.test", [next.rootPem]);
  web.replaceTrust("mesh.test", [next.rootPem]);
  assert.equal(await meet(), catalog.id);
  // The connection that was opened under the old root has lost its authority.
  const verdict = early.ok ? stillTrusted(early, catalog, Date.now()) : early;
  assert.equal(verdict.ok ? "trusted" : verdict.reason, "unknown_authority");
});

Deno.test("stillTrusted ends with the certificate, a revocation or the bundle", async () => {
  let nowMs = Date.now();
  const web = new MeshIdentity(domain.material("web"));
  const catalog = new MeshIdentity(domain.material("catalog"), { nowMs: () => nowMs });
  await using server = await Greeter.open(catalog);
  await visit(server.port, web.connectOptions(catalog.id), web);
  const [peer] = server.admissions;
  assert.ok(peer?.ok);
  const reason = (): string => {
    const verdict = stillTrusted(peer, catalog, nowMs);
    return verdict.ok ? "trusted" : verdict.reason;
  };
  assert.equal(reason(), "trusted");
  catalog.revoke({ identities: [web.id] });
  assert.equal(reason(), "revoked");
  catalog.revoke({ serials: [peer.serial] });
  assert.equal(reason(), "revoked");
  catalog.revoke(undefined);
  assert.equal(reason(), "trusted");
  nowMs = peer.notAfterMs + 1;
  assert.equal(reason(), "expired");
});

Deno.test("stillTrusted refuses again without judging anew until something has changed", () => {
  const catalog = new MeshIdentity(domain.material("catalog"));
  const chain = decodePem(domain.issue("web").chainPem, "CERTIFICATE")!;
  const verdict = catalog.verify(chain, "client");
  assert.ok(verdict.ok);
  const peer: AdmittedPeer = { ...verdict, role: "client", generation: catalog.generation };
  const { trustDomain, bundle } = catalog.material;
  catalog.replaceTrust(trustDomain, stranger.material("catalog").bundle);
  const first = stillTrusted(peer, catalog, Date.now());
  assert.equal(first.ok, false);
  assert.equal(stillTrusted(peer, catalog, Date.now()), first, "the very same refusal");
  catalog.replaceTrust(trustDomain, bundle);
  assert.equal(stillTrusted(peer, catalog, Date.now()).ok, true);
});

Deno.test("refuseHandshake closes a connection on which the client says nothing", async () => {
  const catalog = new MeshIdentity(domain.material("catalog"));
  const options = { ...catalog.serverOptions(), handshakeTimeout: 20 };
  const server = tls.createServer(options, () => assert.fail("a handshake was finished"));
  const refusals: string[] = [];
  server.on("tlsClientError", (error, socket) => {
    refusals.push(refuseHandshake(error, socket).reason);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const silent = await Deno.connect({ port: (server.address() as AddressInfo).port });
  assert.equal(await silent.read(new Uint8Array(1)), null);
  silent.close();
  await new Promise<void>((done) => server.close(() => done()));
  assert.deepEqual(refusals, ["handshake"]);
});

Deno.test("MeshIdentity refuses material that does not fit and keeps what it had", () => {
  const web = new MeshIdentity(domain.material("web"));
  const serial = web.serial;
  const code = (make: () => unknown): string => {
    try {
      make();
    } catch (error) {
      return error instanceof IdentityError ? error.code : String(error);
    }
    return "accepted";
  };
  const good = domain.material("web");
  assert.equal(
    code(() => web.replace({ ...good, keyPem: createKeyAndCsr().keyPem })),
    "key_mismatch",
  );
  assert.equal(code(() => web.replace({ ...good, keyPem: "nonsense" })), "bad_key");
  assert.equal(code(() => web.replace({ ...good, chainPem: "nonsense" })), "bad_chain");
  assert.equal(code(() => web.replace({ ...good, bundle: [stranger.rootPem] })), "untrusted");
  assert.equal(
    code(() => web.replace(domain.material("web", { notAfterMs: Date.now() - 1000 }))),
    "untrusted",
  );
  assert.equal(web.serial, serial);
  assert.equal(web.generation, 1);
});

Deno.test("MeshIdentity believes a new bundle at once, even when that disowns itself", () => {
  const web = new MeshIdentity(domain.material("web"));
  const friend = domain.issue("catalog").chainDer;
  assert.ok(web.isVouchedFor && web.verify(friend, "client").ok);
  web.replaceTrust("mesh.test", [stranger.rootPem]);
  assert.equal(web.isVouchedFor, false);
  assert.equal(web.verify(friend, "client").ok, false);
  assert.throws(() => web.replaceTrust("mesh.test", []), /no self-signed root/);
  assert.throws(() => web.replaceTrust("mesh.test", ["nonsense"]), /PEM blocks/);
  web.replace({ ...stranger.material("web") });
  assert.ok(web.isVouchedFor);
});

Deno.test("MeshIdentity keeps its bundle, and so what that vouched for, when an equal one comes", () => {
  const web = new MeshIdentity(domain.material("web"));
  const { trust } = web;
  web.replaceTrust("mesh.test", [domain.rootPem]);
  assert.equal(web.generation, 1);
  web.replaceTrust("mesh.test", [domain.rootPem + stranger.rootPem]);
  web.replaceTrust("mesh.test", [domain.rootPem, stranger.rootPem.replaceAll("\n", "\r\n")]);
  assert.equal(web.generation, 2);
  web.replaceTrust("mesh.test", [domain.rootPem]);
  const before = web.trust;
  assert.notEqual(before, trust);
  web.replace(domain.material("web"));
  assert.equal(web.trust, before);
  assert.equal(web.generation, 4);
});
