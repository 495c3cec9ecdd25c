/** Dials an endpoint: plaintext to the own workload, mTLS with a checked identity to every other sidecar. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Fault, FAULTS } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { ClientCodec, Wire } from "../core/stream.ts";
import { Expires, type Wheel } from "../core/timers.ts";
import type { BackendSpec, EndpointSpec } from "../control/schema/snapshot.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { admitPeer, type MeshIdentity } from "./tls/mod.ts";
import type { Dial, Pool, PooledConnection } from "./upstream/pool.ts";

export interface DiallerDeps {
  /** Null while we have none: endpoints that want mTLS cannot be reached yet. */
  readonly identity: () => MeshIdentity | null;
  readonly codec: (wire: Wire) => ClientCodec<RequestHead, ResponseHead>;
  readonly wheel: Wheel;
  readonly log: Log;
}

/** A {@link Dial} for each endpoint of a snapshot. */
export function createDialler(
  deps: DiallerDeps,
): (endpoint: EndpointSpec, backend: BackendSpec) => Dial {
  return (endpoint, backend) => {
    const { host, port } = splitAddress(endpoint.address);
    const target: Target = {
      host,
      port,
      address: endpoint.address,
      identity: endpoint.identity ?? null,
      connectTimeoutMs: backend.connectTimeoutMs,
    };
    return (pool) => new Outlet(deps, target, pool);
  };
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly identity: string | null;
  readonly connectTimeoutMs: number;
}

/** One connection to an endpoint, from dialling to its end. */
class Outlet extends Expires implements PooledConnection, ConnectionOwner {
  readonly #deps: DiallerDeps;
  readonly #target: Target;
  readonly #pool: Pool;
  readonly #connection: Connection;
  readonly codec: ClientCodec<RequestHead, ResponseHead>;
  idleSinceMs = 0;
  #open = false;
  #inUse = true;

  constructor(deps: DiallerDeps, target: Target, pool: Pool) {
    super();
    this.#deps = deps;
    this.#target = target;
    this.#pool = pool;
    const socket = target.identity === null ? this.#plain() : this.#mesh(target.identity);
    this.#connection = new Connection(socket, this, true);
    this.codec = deps.codec(this.#connection);
    this.#connection.codec = this.codec;
    socket.on("error", (e: NodeJS.ErrnoException) => this.#failed(e));
    deps.wheel.arm(this, target.connectTimeoutMs);
  }

  /** Connecting took too long. */
  expired(): void {
    this.#connection.fail(FAULTS["upstream.connect_timeout"]);
  }

  fail(fault: Fault): void {
    this.#connection.fail(fault);
  }

  /** The pool lent it out again. */
  taken(): void {
    this.#inUse = true;
  }

  received(): void {
    if (!this.#inUse || this.codec.slots === 0) return;
    this.#inUse = false;
    this.#pool.released(this);
  }

  gone(): void {
    this.#deps.wheel.disarm(this);
    this.#pool.gone(this);
  }

  #plain(): Socket {
    const { host, port } = this.#target;
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    socket.on("connect", () => this.#opened());
    return socket;
  }

  #mesh(identity: string): Socket {
    const { host, port, address } = this.#target;
    const own = this.#deps.identity();
    if (own === null) {
      // Fails as any other connection would, so that there is one way out.
      this.#deps.log.warn("outbound.no_identity", { endpoint: address });
      return connect({ host: "127.0.0.1", port: 0 });
    }
    const options = { host, port, allowHalfOpen: true, ...own.connectOptions(identity) };
    const socket = connectTls(options);
    socket.setNoDelay(true);
    socket.on("secureConnect", () => {
      const admission = admitPeer(socket, own, "server", identity);
      if (admission.ok) return this.#opened();
      this.#refused(admission.reason, admission.detail);
    });
    return socket;
  }

  #opened(): void {
    this.#open = true;
    this.#deps.wheel.disarm(this);
    this.#connection.open();
  }

  #failed(e: NodeJS.ErrnoException): void {
    if (this.#open) return; // the codec knows better what the loss means
    if (e.code?.startsWith("peer.")) return this.#refused(e.code.slice(5), e.message);
    this.#deps.log.debug("outbound.connect_failed", {
      endpoint: this.#target.address,
      error: e.message,
    });
    this.#connection.fail(FAULTS["upstream.connect"]);
  }

  #refused(reason: string, detail: string): void {
    const { address, identity } = this.#target;
    this.#deps.log.warn("outbound.refused", {
      endpoint: address,
      expected: identity,
      reason,
      detail,
    });
    this.#connection.fail(FAULTS["upstream.identity"]);
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
