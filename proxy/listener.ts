/** A socket that accepts: TLS and identity first, then a codec, then one Exchange per request. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Clock } from "../core/clock.ts";
import { FAULTS } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type { Counter, Gauge, Metrics } from "../core/metrics.ts";
import { type Accept, BUSY, type Codec } from "../core/stream.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { Exchange } from "./exchange.ts";
import type { Arrival } from "./exchange_state.ts";
import type { Overload } from "./overload.ts";
import { type PatienceLimits, Watch } from "./patience.ts";
import { RefusalLog } from "./refusal_log.ts";
import type { ListenerRuntime } from "./snapshot.ts";
import {
  admitPeer,
  type AdmittedPeer,
  type MeshIdentity,
  refuseHandshake,
  stillTrusted,
} from "./tls/mod.ts";
import type { ResettableWire } from "./tunnel.ts";
import { Tunnels } from "./tunnels.ts";

/** Named limits of accepted connections; `tests/integration/listener_limits_test.ts` drives each. */
export interface ListenerLimits extends PatienceLimits {
  /** More are closed as they come: the listener must not take the whole process with it. */
  readonly maxConnections: number;
  /** Without one byte in either direction in a tunnel (WebSocket, TCP). */
  readonly tunnelIdleMs: number;
  /** How long a running exchange may go on after its peer's certificate expired or was revoked. */
  readonly distrustGraceMs: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  maxConnections: 20_000,
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  bodyMinRate: 100,
  idleTimeoutMs: 120_000,
  stallTimeoutMs: 300_000,
  tunnelIdleMs: 3_600_000,
  distrustGraceMs: 10_000,
};

/** How a listener gets its socket. */
export interface BindOptions {
  /** Shares the port with other processes that ask for the same: the kernel spreads connections. */
  readonly reusePort?: boolean;
  /** A bound socket that a supervisor handed down; it stays open when this process ends. */
  readonly fd?: number;
}

/** While draining, a kept connection that was used within this time may bring one more request. */
export const DRAIN_LINGER_MS = 1000;
const DRAIN_LOOK_MS = 50;

export interface ListenerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly codec: (
    wire: ResettableWire,
    accept: Accept<RequestHead, ResponseHead>,
    how: { readonly tls: boolean; readonly h2: boolean },
  ) => Codec;
  /** The identity to serve with, and by whose bundle callers are judged; null: plaintext. */
  readonly identity: MeshIdentity | null;
  /** Its clients speak no HTTP and cannot be told why they are refused: it is logged. */
  readonly bare?: boolean;
  readonly limits?: Partial<ListenerLimits>;
  /** Judges at each new request whether it can be taken. */
  readonly overload: Overload;
  /** What answers those that are not. */
  readonly shed: ListenerRuntime;
  /** Called once per exchange, last. */
  readonly ended: (x: Exchange, listener: string) => void;
}

export class Listener implements ConnectionOwner {
  readonly name: string;
  /** Swapped whole; exchanges under way keep the one they began with. */
  runtime: ListenerRuntime;
  readonly deps: ListenerDeps;
  readonly #limits: ListenerLimits;
  readonly #server: Server;
  readonly #inlets = new Map<Connection, Inlet>();
  readonly #accepted: Counter;
  readonly #refused: Counter;
  readonly #open: Gauge;
  readonly #refusals: RefusalLog;
  readonly #tunnels: Tunnels;
  #draining = false;
  #unwatch: () => void = () => {};

  constructor(name: string, runtime: ListenerRuntime, deps: ListenerDeps) {
    this.name = name;
    this.runtime = runtime;
    this.deps = deps;
    this.#limits = { ...LISTENER_LIMITS, ...deps.limits };
    const { metrics, identity } = deps;
    this.#refusals = new RefusalLog(deps.log, deps.clock);
    const labels = { listener: name };
    this.#accepted = metrics.counter("denim_connections_total", "Connections accepted", labels);
    this.#refused = metrics.counter(
      "denim_connections_refused_total",
      "Connections closed before a request could be read",
      labels,
    );
    this.#open = metrics.gauge("denim_connections_open", "Connections open now", labels);
    this.#tunnels = new Tunnels(metrics, name);
    const options = { noDelay: true, allowHalfOpen: true };
    if (identity === null) {
      this.#server = createServer(options, (socket) => this.#accept(socket, null));
    } else {
      const server = createTlsServer(
        { ...options, ...identity.serverOptions() },
        (socket) => this.#secured(socket, identity),
      );
      server.on(
        "tlsClientError",
        (error, socket) => this.#refuse(remoteOf(socket), refuseHandshake(error, socket)),
      );
      this.#unwatch = identity.onChange(() => {
        server.setSecureContext(identity.serverOptions());
        this.sweep(); // what the new bundle or revocations forbid ends now, not at the next second
      });
      this.#server = server;
    }
    // Counts sockets that are still shaking hands too, which #accept has not seen yet.
    this.#server.maxConnections = this.#limits.maxConnections;
  }

  /** Binds; rejects with a sentence that says which address was wanted and what to do. */
  listen(
    host: string,
    port: number,
    how: BindOptions = {},
  ): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      const failed = (e: NodeJS.ErrnoException): void =>
        reject(bindError(e, this.name, host, port));
      this.#server.once("error", failed);
      const place = how.fd === undefined
        ? { host, port, reusePort: how.reusePort ?? false }
        : { fd: how.fd };
      this.#server.listen({ ...place, backlog: 1024 }, () => {
        this.#server.off("error", failed);
        this.#server.on(
          "error",
          (e) => this.deps.log.error("listener.failed", { listener: this.name, error: String(e) }),
        );
        const bound = this.#server.address();
        resolve({ host, port: typeof bound === "object" && bound !== null ? bound.port : port });
      });
    });
  }

  get connections(): number {
    return this.#inlets.size;
  }

  gone(connection: Connection): void {
    const refusal = connection.codec.refusal ?? null;
    if (refusal !== null) {
      const { remote } = this.#inlets.get(connection)!;
      this.#refuse(remote, { reason: refusal.code, detail: refusal.detail });
    }
    this.#inlets.delete(connection);
    this.#open.set(this.#inlets.size);
  }

  received(_connection: Connection): void {}

  switched(x: Exchange, nowMs: number): void {
    this.#tunnels.add(x, nowMs);
  }
  ended(x: Exchange): void {
    if (x.switchedMs > 0) this.#tunnels.ended(x);
    else if (this.deps.bare === true) this.#unopened(x);
    this.deps.ended(x, this.name);
  }

  /** Ends connections and tunnels that wait too long; called every second. */
  sweep(): void {
    const now = this.deps.clock.monotonicMs();
    this.#tunnels.sweep(now, this.#limits.tunnelIdleMs);
    for (const [connection, inlet] of this.#inlets) {
      if (!this.#mayStay(inlet, now)) connection.codec.drain();
      // A request without end must not keep a peer in that would be refused at the door.
      if (now - inlet.distrustedMs > this.#limits.distrustGraceMs) {
        connection.fail(FAULTS["downstream.distrusted"]);
        continue;
      }
      const patience = inlet.watch.look(connection, this.#limits, now, inlet.tunnels > 0);
      if (patience === "cut") this.#expire(connection);
      else if (patience === "drain") connection.codec.drain();
    }
  }

  /**
   * Accepts no more, lets exchanges end, then cuts what is left at the deadline. A kept HTTP/1.1
   * connection that rests is not closed at once: its client's next request may be on the way, and
   * would be lost. It is answered with `connection: close` when it comes.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    this.#unwatch();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const lingerMs = Math.min(DRAIN_LINGER_MS, deadlineMs / 2);
    const look = (): void => this.#drainRested(lingerMs);
    look();
    const looker = setInterval(look, DRAIN_LOOK_MS);
    const timer = setTimeout(() => {
      for (const connection of this.#inlets.keys()) connection.fail(FAULTS["proxy.draining"]);
    }, deadlineMs);
    await closed;
    clearInterval(looker);
    clearTimeout(timer);
  }

  #drainRested(lingerMs: number): void {
    const now = this.deps.clock.monotonicMs();
    for (const connection of this.#inlets.keys()) {
      const { codec } = connection;
      if (connection.activity > 0) connection.lastActiveMs = now;
      connection.activity = 0;
      const rests = codec.protocol === "h1" && codec.phase !== BUSY;
      if (!rests || now - connection.lastActiveMs >= lingerMs) codec.drain();
    }
  }

  #secured(socket: TLSSocket, identity: MeshIdentity): void {
    const admission = admitPeer(socket, identity, "client");
    if (admission.ok) return this.#accept(socket, admission);
    this.#refuse(remoteOf(socket), admission);
    socket.on("error", () => {});
    socket.destroy();
  }

  #refuse(
    remote: string,
    { reason, detail }: { readonly reason: string; readonly detail: string },
  ): void {
    this.#refused.add();
    this.#refusals.write({ listener: this.name, reason, detail, remote });
  }

  /** A client that was there to hear of it got no tunnel. */
  #unopened(x: Exchange): void {
    const fault = x.fault ?? FAULTS["tunnel.refused"];
    if (fault.code === "downstream.gone") return;
    // What the other end said of it is worth more than that it refused.
    const reason = x.response?.fields.get("denim-fault") ?? fault.code;
    this.#refuse(x.remote, { reason, detail: fault.detail });
  }

  /** RFC 9110 15.5.9: says 408 while that still means something; the next look cuts who does not go. */
  #expire(connection: Connection): void {
    const fault = FAULTS["downstream.timeout"];
    if (connection.codec.expire?.(fault) !== true) connection.fail(fault);
  }

  /** Certificates expire and bundles change while connections are open. */
  #mayStay(inlet: Inlet, monotonicMs: number): boolean {
    const { identity, clock, log } = this.deps;
    if (identity === null || inlet.admitted === null || inlet.distrustedMs < Infinity) return true;
    const verdict = stillTrusted(inlet.admitted, identity, clock.nowMs());
    if (verdict.ok) return true;
    inlet.distrustedMs = monotonicMs;
    log.warn("inbound.closed", {
      listener: this.name,
      peer: inlet.peer,
      reason: verdict.reason,
      detail: verdict.detail,
    });
    return false;
  }

  #accept(socket: Socket, admitted: AdmittedPeer | null): void {
    if (this.#inlets.size >= this.#limits.maxConnections) {
      this.#refused.add();
      return void socket.destroy();
    }
    this.#accepted.add();
    const alpn = admitted === null ? "" : (socket as TLSSocket).alpnProtocol;
    const connection = new Connection(socket, this, { batch: alpn === "h2" });
    const inlet = new Inlet(this, socket, admitted);
    connection.lastActiveMs = this.deps.clock.monotonicMs();
    connection.codec = this.deps.codec(
      connection,
      (stream) => {
        if (this.#draining) connection.codec.drain(); // its answer says that it is the last
        return new Exchange(inlet, stream);
      },
      { tls: admitted !== null, h2: alpn === "h2" },
    );
    this.#inlets.set(connection, inlet);
    this.#open.set(this.#inlets.size);
    if (this.#draining && alpn === "h2") connection.codec.drain();
    connection.codec.connected?.();
  }
}

/** One accepted connection, as its exchanges see it. */
class Inlet implements Arrival {
  readonly #listener: Listener;
  readonly admitted: AdmittedPeer | null;
  readonly peer: string;
  readonly remote: string;
  readonly watch: Watch;
  /** Exchanges that have become tunnels, which have an idle timeout of their own. */
  tunnels = 0;
  /** When its peer ceased to be trusted, on the monotonic clock; Infinity: it is. */
  distrustedMs = Infinity;

  constructor(listener: Listener, socket: Socket, admitted: AdmittedPeer | null) {
    this.#listener = listener;
    this.admitted = admitted;
    this.peer = admitted === null ? "" : admitted.identity;
    this.remote = remoteOf(socket);
    this.watch = new Watch(this.monotonicMs());
  }
  get runtime(): ListenerRuntime {
    const { runtime, deps: { overload, shed } } = this.#listener;
    return overload.began() ? runtime : shed;
  }
  switched(x: Exchange): void {
    this.tunnels++;
    this.#listener.switched(x, this.monotonicMs());
  }
  ended(x: Exchange): void {
    this.#listener.deps.overload.ended();
    if (x.switchedMs > 0) this.tunnels--;
    this.#listener.ended(x);
  }
  monotonicMs(): number {
    return this.#listener.deps.clock.monotonicMs();
  }
}

function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function bindError(e: NodeJS.ErrnoException, name: string, host: string, port: number): Error {
  const where = `${host}:${port}`;
  if (e.code === "EADDRINUSE") {
    return new Error(
      `Cannot open listener "${name}" on ${where}: the port is in use. Stop the program that has it, or choose another port (0 takes a free one)`,
    );
  }
  if (e.code === "EACCES" || e.code === "EPERM") {
    return new Error(
      `Cannot open listener "${name}" on ${where}: permission denied. Choose a port of 1024 or above, or grant the right to bind it`,
    );
  }
  return new Error(`Cannot open listener "${name}" on ${where}: ${e.message}`);
}
