/** A control plane that says whatever a test wants, over the real protocol: certificates, bundles, snapshots. */
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import {
  CONTROL_ALPN,
  encodeJson,
  FRAME_JSON,
  FrameReader,
  type FromProxy,
  type ToProxy,
} from "../../control/schema/protocol.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import { admitPeer, MeshIdentity } from "../../proxy/tls/mod.ts";
import type { LeafOptions, TestDomain } from "./ca.ts";

const CONTROL_PLANE = "denim-system/sa/control-plane";

export interface FakeControlOptions {
  /** Who the next proxy to join becomes, and how its leaf differs from a good one. */
  readonly identity: string;
  readonly leaf?: () => LeafOptions;
  /** Private keys it gives to whoever asks, PEM by name. */
  readonly keys?: ReadonlyMap<string, string>;
  /** Sent to every proxy that says hello. */
  readonly snapshot: Omit<Snapshot, "version" | "trust">;
}

/** Accepts any join token; keeps one stream. */
export class FakeControl implements AsyncDisposable {
  readonly token = `denim-join-${"T".repeat(43)}`;
  readonly heard: FromProxy[] = [];
  readonly #options: FakeControlOptions;
  readonly #server: tls.Server;
  readonly #sockets = new Set<tls.TLSSocket>();
  #domain: TestDomain;
  #bundle: readonly string[];
  #federated: NonNullable<Snapshot["trust"]["federated"]> = [];
  #waiters: { readonly wanted: (message: FromProxy) => boolean; readonly met: () => void }[] = [];
  #deliveries = 0;

  private constructor(domain: TestDomain, options: FakeControlOptions) {
    this.#domain = domain;
    this.#bundle = [domain.rootPem];
    this.#options = options;
    const identity = new MeshIdentity(
      domain.material("control", {
        uris: [`spiffe://${domain.domain}/ns/${CONTROL_PLANE}`],
      }),
    );
    this.#server = tls.createServer(identity.serverOptions(CONTROL_ALPN), (socket) => {
      const peer = admitPeer(socket, identity, "client");
      if (!peer.ok && peer.reason !== "no_certificate") return void socket.destroy();
      this.#serve(socket);
    });
    this.#server.on("tlsClientError", () => {});
  }

  static async start(domain: TestDomain, options: FakeControlOptions): Promise<FakeControl> {
    const control = new FakeControl(domain, options);
    await new Promise<void>((done) => control.#server.listen(0, "127.0.0.1", done));
    return control;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when a proxy has said (or says) something `wanted`. */
  async until(wanted: (message: FromProxy) => boolean): Promise<void> {
    if (this.heard.some(wanted)) return;
    await new Promise<void>((met) => this.#waiters.push({ wanted, met }));
  }

  /** From now on SVIDs come from `domain`, and peers are to be judged by `bundle`. Tells every proxy. */
  async rotate(domain: TestDomain, bundle: readonly string[]): Promise<void> {
    this.#domain = domain;
    this.#bundle = bundle;
    this.#deliveries++;
    for (const socket of this.#sockets) this.#sendSnapshot(socket);
    await this.#acknowledged();
  }

  /** From now on these domains are believed beside the own one. Tells every proxy. */
  async federate(federated: NonNullable<Snapshot["trust"]["federated"]>): Promise<void> {
    this.#federated = federated;
    await this.rotate(this.#domain, this.#bundle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #serve(socket: tls.TLSSocket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    const reader = new FrameReader();
    socket.on("data", (bytes: Uint8Array) => {
      const frames = reader.push(bytes);
      if (frames === "too large") return void socket.destroy();
      for (const { kind, payload } of frames) {
        if (kind !== FRAME_JSON) continue;
        this.#hear(socket, JSON.parse(new TextDecoder().decode(payload)));
      }
    });
  }

  #hear(socket: tls.TLSSocket, message: FromProxy): void {
    this.heard.push(message);
    if (message.type === "join" || message.type === "csr") this.#sendSvid(socket, message.csr);
    if (message.type === "hello") this.#sendSnapshot(socket);
    if (message.type === "key") {
      const { name } = message;
      this.#send(socket, { type: "key", name, pem: this.#options.keys?.get(name) ?? "" });
    }
    this.#waiters = this.#waiters.filter(({ wanted, met }) => {
      if (!wanted(message)) return true;
      met();
      return false;
    });
  }

  #sendSvid(socket: tls.TLSSocket, csr: string): void {
    const { identity, leaf } = this.#options;
    const chain = this.#domain.issueForRequest(identity, csr, leaf?.() ?? {});
    this.#send(socket, { type: "svid", chain, bundle: this.#bundle.join("") });
  }

  #sendSnapshot(socket: tls.TLSSocket): void {
    const trust = {
      ...{ domain: this.#domain.domain, bundle: this.#bundle },
      ...(this.#federated.length === 0 ? {} : { federated: this.#federated }),
    };
    const version = `v${this.#deliveries}`;
    const snapshot: Snapshot = { ...this.#options.snapshot, trust, version };
    this.#send(socket, { type: "snapshot", nonce: version, revision: this.#deliveries, snapshot });
  }

  #send(socket: tls.TLSSocket, message: ToProxy): void {
    socket.write(encodeJson(message));
  }

  async #acknowledged(): Promise<void> {
    const nonce = `v${this.#deliveries}`;
    await this.until((message) => message.type === "ack" && message.nonce === nonce);
  }
}
