/** A proxy that says what a test tells it to: the client end of the stream, written apart from the real one. */
import { connect, type TLSSocket } from "node:tls";
import {
  CONTROL_ALPN,
  encodeJson,
  FRAME_JSON,
  FrameReader,
  type FromProxy,
  type ProxyReport,
  type ToProxy,
} from "../../control/schema/protocol.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import {
  createKeyAndCsr,
  joinOptions,
  MeshIdentity,
  readTrustBundle,
} from "../../proxy/tls/mod.ts";

const DOMAIN = "mesh.local";
const CONTROL_PLANE = `spiffe://${DOMAIN}/ns/denim-system/sa/control-plane`;
const ANSWER_MS = 5000;

export type Of<T extends ToProxy["type"]> = Extract<ToProxy, { type: T }>;
type Waiting = { readonly fits: (message: ToProxy) => boolean; resolve(message: ToProxy): void };

function identityOf(keyPem: string, { chain, bundle }: Of<"svid">): MeshIdentity {
  return new MeshIdentity({ trustDomain: DOMAIN, keyPem, chainPem: chain, bundle: [bundle] });
}

export class FakeProxy implements Disposable {
  readonly #socket: TLSSocket;
  readonly #reader = new FrameReader();
  readonly #closed = Promise.withResolvers<void>();
  #received: ToProxy[] = [];
  #waiting: Waiting[] = [];
  /** Modules that came, by digest. */
  readonly modules: number[] = [];

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => this.#read(bytes));
    socket.on("error", () => {});
    socket.on("close", () => this.#closed.resolve());
  }

  /** Connects without a certificate, asks with the token, and gives the identity or the error. */
  static async join(
    address: string,
    bundle: string,
    token: string,
  ): Promise<MeshIdentity | Of<"error">> {
    const { keyPem, csrPem } = createKeyAndCsr();
    const answer = await FakeProxy.enter(address, bundle, { type: "join", token, csr: csrPem });
    return answer.type === "svid" ? identityOf(keyPem, answer) : answer;
  }

  /** The same with the token of a pod. */
  static async attest(
    address: string,
    bundle: string,
    jwt: string,
  ): Promise<MeshIdentity | Of<"error">> {
    const { keyPem, csrPem } = createKeyAndCsr();
    const answer = await FakeProxy.enter(address, bundle, { type: "attest", jwt, csr: csrPem });
    return answer.type === "svid" ? identityOf(keyPem, answer) : answer;
  }

  /** Says one thing without a certificate, and gives the answer. */
  static async enter(
    address: string,
    bundle: string,
    message: FromProxy,
  ): Promise<Of<"svid"> | Of<"error">> {
    const trust = readTrustBundle(DOMAIN, [bundle]);
    const options = joinOptions(trust, CONTROL_PLANE, { alpn: CONTROL_ALPN });
    using proxy = new FakeProxy(connect({ ...place(address), ...options }));
    proxy.send(message);
    return await proxy.next((one) => one.type === "svid" || one.type === "error") as
      | Of<"svid">
      | Of<"error">;
  }

  static connect(address: string, identity: MeshIdentity): FakeProxy {
    const options = identity.connectOptions(CONTROL_PLANE, CONTROL_ALPN);
    return new FakeProxy(connect({ ...place(address), ...options }));
  }

  send(message: FromProxy): void {
    this.#socket.write(encodeJson(message));
  }

  hello(name: string, over: Partial<Extract<FromProxy, { type: "hello" }>> = {}): void {
    this.send({
      type: "hello",
      node: { kind: "sidecar", namespace: "default", name },
      version: null,
      inbound: "127.0.0.1:15001",
      labels: {},
      admin: "http://127.0.0.1:15000",
      pid: 1,
      ...over,
    });
  }

  ack({ nonce, snapshot }: Of<"snapshot">): void {
    this.send({ type: "ack", nonce, version: snapshot.version });
  }

  nack({ nonce, snapshot }: Of<"snapshot">, reason: string): void {
    this.send({ type: "nack", nonce, version: snapshot.version, reason });
  }

  report(over: Partial<ProxyReport> = {}): void {
    this.send({
      type: "report",
      report: {
        version: null,
        ready: true,
        uptimeMs: 1,
        rssBytes: 1,
        certExpiresMs: null,
        appHealthy: true,
        routes: [],
        filters: [],
        ...over,
      },
    });
  }

  async snapshot(): Promise<Of<"snapshot">> {
    return await this.next((one) => one.type === "snapshot") as Of<"snapshot">;
  }

  async error(): Promise<Of<"error">> {
    return await this.next((one) => one.type === "error") as Of<"error">;
  }

  /** Acks snapshots until one fits; that one is acked as well. */
  async settle(fits: (snapshot: Snapshot) => boolean): Promise<Of<"snapshot">> {
    for (;;) {
      const message = await this.snapshot();
      this.ack(message);
      if (fits(message.snapshot)) return message;
    }
  }

  /** The next message that fits; others stay. Rejects when none comes. */
  async next(fits: (message: ToProxy) => boolean): Promise<ToProxy> {
    const at = this.#received.findIndex(fits);
    if (at >= 0) return this.#received.splice(at, 1)[0]!;
    const { promise, resolve, reject } = Promise.withResolvers<ToProxy>();
    this.#waiting.push({ fits, resolve });
    const late = setTimeout(() => reject(new Error("The control plane sent nothing")), ANSWER_MS);
    const gone = this.#closed.promise.then((): never => {
      throw new Error("The control plane closed the connection");
    });
    try {
      return await Promise.race([promise, gone]);
    } finally {
      clearTimeout(late);
    }
  }

  /** What has come and was not asked for yet. */
  get unread(): readonly ToProxy[] {
    return this.#received;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Cuts the connection without a word. */
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #read(bytes: Uint8Array): void {
    const frames = this.#reader.push(bytes);
    if (frames === "too large") throw new Error("The control plane sent too large a frame");
    for (const { kind, payload } of frames) {
      if (kind === FRAME_JSON) this.#message(JSON.parse(new TextDecoder().decode(payload)));
      else this.modules.push(payload.length);
    }
  }

  #message(message: ToProxy): void {
    if (message.type === "alive") return;
    const at = this.#waiting.findIndex((one) => one.fits(message));
    if (at < 0) this.#received.push(message);
    else this.#waiting.splice(at, 1)[0]!.resolve(message);
  }
}

function place(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
