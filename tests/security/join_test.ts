/** Attacks on the port of the control plane where proxies join: tokens, requests, names and certificates. */
import assert from "node:assert/strict";
import * as tls from "node:tls";
import { silentLog } from "../../core/log.ts";
import { startControl } from "../../control/main.ts";
import {
  CONTROL_ALPN,
  encodeJson,
  FRAME_JSON,
  FrameReader,
  type FromProxy,
  type ToProxy,
} from "../../control/schema/protocol.ts";
import {
  createKeyAndCsr,
  decodePem,
  joinOptions,
  MeshIdentity,
  parseCertificate,
  readTrustBundle,
} from "../../proxy/tls/mod.ts";
import { TestDomain } from "../support/ca.ts";

const DOMAIN = "mesh.test";
const CONTROL_PLANE = `spiffe://${DOMAIN}/ns/denim-system/sa/control-plane`;
const WEB = `spiffe://${DOMAIN}/ns/default/sa/web`;
/** Says nothing, which is how a test waits for what the other end says first. */
const NOTHING: readonly FromProxy[] = [];

/** A control plane and what an operator would know of it. */
class Target implements AsyncDisposable {
  readonly #running: Awaited<ReturnType<typeof startControl>>;
  readonly #dir: string;
  readonly #adminToken: string;
  readonly bundle: string;

  private constructor(
    running: Awaited<ReturnType<typeof startControl>>,
    dir: string,
    adminToken: string,
    bundle: string,
  ) {
    this.#running = running;
    this.#dir = dir;
    this.#adminToken = adminToken;
    this.bundle = bundle;
  }

  static async start(): Promise<Target> {
    const dir = await Deno.makeTempDir({ prefix: "denim-join-" });
    const place = { host: "127.0.0.1", port: 0 };
    const running = await startControl({
      data: dir,
      listen: place,
      meshListen: place,
      trustDomain: DOMAIN,
      log: silentLog,
    });
    const adminToken = (await Deno.readTextFile(running.adminTokenFile)).trim();
    const bundle = await (await fetch(`${running.url}/api/v1/trust-bundle`)).text();
    return new Target(running, dir, adminToken, bundle);
  }

  async token(identity: string): Promise<{ status: number; token: string }> {
    const response = await fetch(`${this.#running.url}/api/v1/tokens`, {
      method: "POST",
      headers: {
        "authorization": `Bearer ${this.#adminToken}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ identity }),
    });
    const { token = "" } = await response.json();
    return { status: response.status, token };
  }

  /** Options of a caller without a certificate. */
  stranger(): tls.ConnectionOptions {
    return joinOptions(readTrustBundle(DOMAIN, [this.bundle]), CONTROL_PLANE, {
      alpn: CONTROL_ALPN,
    });
  }

  /** Says `messages` on one connection and gives every answer until the control plane closes it. */
  say(options: tls.ConnectionOptions, messages: readonly FromProxy[]): Promise<ToProxy[]> {
    const [host, port] = this.#running.meshAddress.split(":");
    return new Promise((done) => {
      const answers: ToProxy[] = [];
      const reader = new FrameReader();
      const socket = tls.connect({ host: host!, port: Number(port), ...options });
      socket.on("secureConnect", () => {
        for (const message of messages) socket.write(encodeJson(message));
      });
      socket.on("data", (bytes: Uint8Array) => {
        const frames = reader.push(bytes);
        if (frames === "too large") return void socket.destroy();
        for (const { kind, payload } of frames) {
          if (kind !== FRAME_JSON) continue;
          const answer: ToProxy = JSON.parse(new TextDecoder().decode(payload));
          answers.push(answer);
          // A renewal and a registration leave the connection open; the answer is all we want.
          if (answer.type === "svid" || answer.type === "snapshot") socket.end();
        }
      });
      socket.on("error", () => {});
      socket.on("close", () => done(answers));
    });
  }

  /** Joins in good order; the new identity. */
  async join(name: string): Promise<MeshIdentity> {
    const { token } = await this.token(name);
    const { keyPem, csrPem } = createKeyAndCsr();
    const [answer] = await this.say(this.stranger(), [{ type: "join", token, csr: csrPem }]);
    if (answer?.type !== "svid") assert.fail(JSON.stringify(answer));
    const { chain: chainPem, bundle } = answer;
    return new MeshIdentity({ trustDomain: DOMAIN, keyPem, chainPem, bundle: [bundle] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** The one answer is an error with this code. */
function assertError(answers: readonly ToProxy[], code: string): void {
  assert.deepEqual(answers.map((one) => one.type === "error" ? one.code : one.type), [code]);
}

const hello = (name: string, kind: "sidecar" | "gateway" = "sidecar"): FromProxy => ({
  type: "hello",
  node: { kind, namespace: "default", name },
  version: null,
  inbound: kind === "sidecar" ? "127.0.0.1:1" : null,
  labels: {},
  admin: "",
  pid: 1,
});

Deno.test("A join token lets one proxy in, once, under the name it was made for", async () => {
  await using target = await Target.start();
  const { token } = await target.token("default/web");
  const join = (csr: string): FromProxy => ({ type: "join", token, csr });
  const [first] = await target.say(target.stranger(), [join(createKeyAndCsr().csrPem)]);
  if (first?.type !== "svid") assert.fail(JSON.stringify(first));
  const leaf = parseCertificate(decodePem(first.chain, "CERTIFICATE")![0]!);
  if (typeof leaf === "string") assert.fail(leaf);
  assert.deepEqual(leaf.uris, [WEB]);
  assertError(
    await target.say(target.stranger(), [join(createKeyAndCsr().csrPem)]),
    "join.bad_token",
  );
});

Deno.test("Guessed tokens, bad requests and anything but join are refused without a certificate", async () => {
  await using target = await Target.start();
  const { csrPem: csr } = createKeyAndCsr();
  const guess = `denim-join-${"A".repeat(43)}`;
  assertError(
    await target.say(target.stranger(), [{ type: "join", token: guess, csr }]),
    "join.bad_token",
  );
  const { token } = await target.token("default/web");
  assertError(
    await target.say(target.stranger(), [{ type: "join", token, csr: "nonsense" }]),
    "csr.bad",
  );
  for (const message of [hello("web"), { type: "csr", csr } as const, { type: "bye" } as const]) {
    assertError(await target.say(target.stranger(), [message]), "peer.no_certificate");
  }
});

Deno.test("No token is made for the control plane's own name, by whatever spelling", async () => {
  await using target = await Target.start();
  const names = [
    "denim-system/control-plane",
    CONTROL_PLANE,
    "spiffe://other.test/ns/default/sa/web",
    "default/web/../../ns/denim-system/sa/control-plane",
    "DEFAULT/web",
    "default/",
  ];
  for (const name of names) {
    const { status, token } = await target.token(name);
    assert.ok(status === 400 || status === 403, `${name}: ${status}`);
    assert.equal(token, "");
  }
});

Deno.test("A proxy may speak for its own name only, however it asks", async () => {
  await using target = await Target.start();
  const web = await target.join("default/web");
  const options = web.connectOptions(CONTROL_PLANE, CONTROL_ALPN);
  assertError(await target.say(options, [hello("catalog")]), "hello.wrong_identity");
  assertError(await target.say(options, [hello("edge", "gateway")]), "hello.wrong_identity");
  const token = (await target.token("default/catalog")).token;
  const { csrPem: csr } = createKeyAndCsr();
  assertError(await target.say(options, [{ type: "join", token, csr }]), "join.has_identity");
  // A renewal keeps the name of the certificate that asks for it.
  const [answer] = await target.say(options, [{ type: "csr", csr }]);
  if (answer?.type !== "svid") assert.fail(JSON.stringify(answer));
  const leaf = parseCertificate(decodePem(answer.chain, "CERTIFICATE")![0]!);
  assert.deepEqual(typeof leaf === "string" ? leaf : leaf.uris, [WEB]);
});

Deno.test("A stranger's certificate opens nothing at the control plane, not even the way to join", async () => {
  await using target = await Target.start();
  const stranger = new TestDomain(DOMAIN).issue("web");
  const { token } = await target.token("default/web");
  const { csrPem: csr } = createKeyAndCsr();
  const shown = { ...target.stranger(), key: stranger.keyPem, cert: stranger.chainPem };
  assertError(
    await target.say(shown, [{ type: "join", token, csr }]),
    "peer.unknown_authority",
  );
  assertError(await target.say(shown, NOTHING), "peer.unknown_authority");
});

Deno.test("A frame of a stranger that is too large or no message ends the connection", async () => {
  await using target = await Target.start();
  const huge = { type: "join", token: "x".repeat(100_000), csr: "" } as const;
  const answers = await target.say(target.stranger(), [huge]);
  assert.ok(answers.every((one) => one.type === "error"), JSON.stringify(answers));
  const odd = { type: "svid", chain: "", bundle: "" } as unknown as FromProxy;
  assertError(await target.say(target.stranger(), [odd]), "protocol.bad_message");
});
