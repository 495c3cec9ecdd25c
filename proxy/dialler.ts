/** Dials endpoints: plaintext to the own workload, mTLS with a checked identity to every other sidecar. */
import { connect, Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type Fault, FAULTS } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { ClientCodec, Wire } from "../core/stream.ts";
import { Expires, type Wheel } from "../core/timers.ts";
import type { BackendSpec, EndpointSpec } from "../control/schema/snapshot.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import type { OutletTrust } from "./outlet_trust.ts";
import { PENDING_CODEC } from "./pending_codec.ts";
import type { Sockets } from "./sockets.ts";
import { admitPeer, type MeshIdentity } from "./tls/mod.ts";
import type { ResettableWire } from "./tunnel.ts";
import { type MuxConnection, MuxPool } from "./upstream/mux_pool.ts";
import { Pool, type PooledConnection, type PoolLimits, type RequestPool } from "./upstream/pool.ts";

type Client = ClientCodec<RequestHead, ResponseHead>;

/** A client codec for many requests at once. `settled`: the peer has said what it takes. */
type MuxClient = Client & { readonly active: number; readonly settled: boolean };

export interface DiallerDeps {
  /** Null while we have none: endpoints that want mTLS cannot be reached yet. */
  readonly identity: () => MeshIdentity | null;
  readonly h1: (wire: ResettableWire) => Client;
  readonly h2: (wire: Wire, target: { address: string; identity: string | null }) => MuxClient;
  readonly raw: (wire: ResettableWire) => Client;
  readonly sockets: Sockets;
  /** Is told of every connection whose peer has proved who it is. */
  readonly trust: OutletTrust;
  readonly wheel: Wheel;
  readonly log: Log;
  readonly monotonicMs: () => number;
}

/** Gives each endpoint of a snapshot the pool its requests go through. */
export function createDialler(
  deps: DiallerDeps,
): (endpoint: EndpointSpec, backend: BackendSpec) => RequestPool {
  return (endpoint, backend) => {
    const { host, port } = splitAddress(endpoint.address);
    const target: Target = {
      host,
      port,
      address: endpoint.address,
      identity: endpoint.identity ?? null,
      connectTimeoutMs: backend.connectTimeoutMs,
    };
    const pool = (limits: PoolLimits, codec: DiallerDeps["h1"] | DiallerDeps["raw"]): Pool =>
      new Pool(limits, (pool) => new Outlet(deps, target, pool, codec), deps.monotonicMs);
    const single = (): Pool => pool(backend.pool, deps.h1);
    if (target.identity === null && backend.protocol !== "h2" && endpoint.sidecar !== true) {
      // A connection that nobody has asked for is no use: it would be the first thing a server greets.
      return backend.protocol === "tcp" ? pool({ ...backend.pool, warmUp: 0 }, deps.raw) : single();
    }
    const mux = (pool: MuxPool): MuxConnection => new MuxOutlet(deps, target, pool);
    return new MuxPool(backend.pool, mux, single, deps.monotonicMs);
  };
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly identity: string | null;
  readonly connectTimeoutMs: number;
}

/** A socket on its way to an endpoint, and the connection on it: what both kinds of outlet share. */
abstract class Dialling extends Expires implements ConnectionOwner {
  protected readonly deps: DiallerDeps;
  protected readonly target: Target;
  protected readonly connection: Connection;
  #open = false;

  constructor(deps: DiallerDeps, target: Target, alpn: readonly string[], mux: boolean) {
    super();
    this.deps = deps;
    this.target = target;
    const socket = this.#socket(alpn);
    this.connection = new Connection(socket, this, { batch: mux });
    this.connection.codec = PENDING_CODEC;
    socket.on("error", (e: NodeJS.ErrnoException) => this.#failed(e));
    deps.sockets.dialled();
    deps.wheel.arm(this, target.connectTimeoutMs);
  }

  /** Connected, and the peer is who it should be; `alpn` as negotiated. */
  protected abstract opened(alpn: string): void;
  abstract received(): void;
  abstract drain(): void;
  protected abstract lost(): void;

  /** Connecting took too long. */
  expired(): void {
    this.connection.fail(FAULTS["upstream.connect_timeout"]);
  }
  get address(): string {
    return this.target.address;
  }
  fail(fault: Fault): void {
    this.connection.fail(fault);
  }
  gone(): void {
    this.deps.sockets.closed();
    this.deps.trust.closed(this);
    this.deps.wheel.disarm(this);
    this.lost();
  }

  /** What cannot be dialled fails as any other connection would, so that there is one way out. */
  #socket(alpn: readonly string[]): Socket {
    const { identity } = this.target;
    if (!this.deps.sockets.mayDial) return failing(NO_DESCRIPTORS);
    return identity === null ? this.#plain() : this.#mesh(identity, alpn);
  }

  #plain(): Socket {
    const { host, port } = this.target;
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    socket.on("connect", () => this.#connected(""));
    return socket;
  }

  #mesh(identity: string, alpn: readonly string[]): Socket {
    const { host, port, address } = this.target;
    const own = this.deps.identity();
    if (own === null) {
      this.deps.log.warn("outbound.no_identity", { endpoint: address });
      return failing("no_identity");
    }
    const options = { host, port, allowHalfOpen: true, ...own.connectOptions(identity, alpn) };
    const socket: TLSSocket = connectTls(options);
    socket.setNoDelay(true);
    socket.on("secureConnect", () => {
      const admission = admitPeer(socket, own, "server", identity);
      if (!admission.ok) return this.#refused(admission.reason, admission.detail);
      this.deps.trust.opened(this, admission);
      this.#connected(typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "");
    });
    return socket;
  }

  #connected(alpn: string): void {
    this.#open = true;
    this.deps.wheel.disarm(this);
    this.opened(alpn);
    this.connection.open();
  }

  #failed(e: NodeJS.ErrnoException): void {
    if (this.#open) return; // the codec knows better what the loss means
    if (e.code?.startsWith("peer.")) return this.#refused(e.code.slice(5), e.message);
    this.deps.log.debug("outbound.connect_failed", {
      endpoint: this.target.address,
      error: e.message,
    });
    this.connection.fail(
      FAULTS[e.message === NO_DESCRIPTORS ? "proxy.no_descriptors" : "upstream.connect"],
    );
  }

  #refused(reason: string, detail: string): void {
    const { address, identity } = this.target;
    this.deps.log.warn("outbound.refused", {
      endpoint: address,
      expected: identity,
      reason,
      detail,
    });
    this.connection.fail(FAULTS["upstream.identity"]);
  }
}

const NO_DESCRIPTORS = "no_descriptors";

/** A socket that was never opened and says why in a moment. */
function failing(why: string): Socket {
  return new Socket().destroy(new Error(why));
}

/** One connection that carries one request, or one tunnel, at a time. */
class Outlet extends Dialling implements PooledConnection {
  readonly #pool: Pool;
  readonly codec: Client;
  idleSinceMs = 0;
  #inUse = true;

  constructor(
    deps: DiallerDeps,
    target: Target,
    pool: Pool,
    codec: (wire: ResettableWire) => Client,
  ) {
    super(deps, target, ["http/1.1"], false);
    this.#pool = pool;
    this.codec = codec(this.connection);
    this.connection.codec = this.codec;
  }

  /** One that was opened ahead of any request is free at once. */
  protected opened(): void {
    this.codec.connected?.();
    this.received();
  }

  /** The pool lent it out again. */
  taken(): void {
    this.#inUse = true;
  }

  drain(): void {
    this.codec.drain();
  }
  received(): void {
    if (!this.#inUse || this.codec.slots === 0) return;
    this.#inUse = false;
    this.#pool.released(this);
  }
  protected lost(): void {
    this.#pool.gone(this);
  }
}

/**
 * One connection that carries many requests. What an mTLS peer speaks is known after the handshake; of a
 * plaintext one it is known before (RFC 9113 3.3, prior knowledge).
 */
class MuxOutlet extends Dialling implements MuxConnection {
  readonly #pool: MuxPool;
  codec: MuxClient | null = null;
  #ready = false;
  usedMs = 0;

  constructor(deps: DiallerDeps, target: Target, pool: MuxPool) {
    super(deps, target, ["h2", "http/1.1"], true);
    this.#pool = pool;
  }

  get active(): number {
    return this.codec === null ? 0 : this.codec.active;
  }

  protected opened(alpn: string): void {
    if (alpn !== "h2" && this.target.identity !== null) {
      this.#pool.refused(this);
      return this.connection.end();
    }
    this.codec = this.deps.h2(this.connection, this.target);
    this.connection.codec = this.codec;
    // A handshake that looks done may still be refused by the peer; its settings show that it was not.
    this.deps.wheel.arm(this, this.target.connectTimeoutMs);
  }

  drain(): void {
    if (this.codec !== null) this.codec.drain();
  }
  received(): void {
    if (this.#ready) return this.#pool.released(this);
    if (this.codec === null || !this.codec.settled) return;
    this.#ready = true;
    this.deps.wheel.disarm(this);
    this.#pool.ready(this);
  }
  protected lost(): void {
    this.#pool.gone(this, this.connection.fault ?? this.#why());
  }

  /** Why it never took a request. */
  #why(): Fault {
    const { identity, address } = this.target;
    if (this.#ready || this.codec === null || identity !== null) return FAULTS["upstream.connect"];
    const { code, detail } = FAULTS["upstream.not_h2"];
    this.deps.log.warn("outbound.refused", { endpoint: address, reason: code, detail });
    return FAULTS["upstream.not_h2"];
  }
}

/** `host:port`, the host of an IPv6 address in brackets. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon);
  return {
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: Number(address.slice(colon + 1)),
  };
}
