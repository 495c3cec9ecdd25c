/** A listener: every socket that its entrance lets in gets a codec, then one Exchange per request. */
import type { Clock } from "../core/clock.ts";
import { FAULTS } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type { Counter, Gauge, Metrics } from "../core/metrics.ts";
import { type Accept, BUSY, type Codec } from "../core/stream.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Socket } from "node:net";
import { bind, type BindOptions } from "./bind.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { createEntrance, type Security } from "./entrance.ts";
import type { Entrance, Entry, PeerMode, Refused } from "./entry.ts";
import { Exchange } from "./exchange.ts";
import { Inlet } from "./inlet.ts";
import { InboundTraffic, type Tally } from "./inbound_traffic.ts";
import { LISTENER_LIMITS, type ListenerLimits } from "./listener_limits.ts";
import type { Overload } from "./overload.ts";
import { RefusalLog } from "./refusal_log.ts";
import type { ListenerRuntime } from "./snapshot.ts";
import type { Sockets } from "./sockets.ts";
import type { InboundReport } from "../control/schema/protocol.ts";
import { stillTrusted } from "./tls/mod.ts";
import { Tunnels } from "./tunnels.ts";

/** While draining, a kept connection that was used within this time may bring one more request. */
export const DRAIN_LINGER_MS = 1000;
const DRAIN_LOOK_MS = 50;

const OK = { ok: true } as const;
/** What becomes of plaintext connections where mTLS is wanted from now on. */
const PLAINTEXT_ENDED = {
  ok: false,
  reason: "plaintext",
  detail: "only mTLS is let in since the configuration changed",
} as const;

export interface ListenerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The codec a connection begins with; it may put another in its own place. */
  readonly codec: (
    connection: Connection,
    accept: Accept<RequestHead, ResponseHead>,
    entry: Entry,
  ) => Codec;
  /** What callers have to get past before they may speak. */
  readonly security: Security;
  /** Its clients speak no HTTP and cannot be told why they are refused: it is logged. */
  readonly bare?: boolean;
  readonly limits?: Partial<ListenerLimits>;
  readonly sockets: Sockets;
  /** Judges at each new request whether it can be taken. */
  readonly overload: Overload;
  /** What answers those that are not. */
  readonly shed: ListenerRuntime;
  /** Called once per exchange, last. */
  readonly ended: (x: Exchange, listener: string) => void;
  readonly renamed: (name: string) => void;
}

export class Listener implements ConnectionOwner {
  #name: string;
  /** Swapped whole; exchanges under way keep the one they began with. */
  runtime: ListenerRuntime;
  readonly deps: ListenerDeps;
  readonly #limits: ListenerLimits;
  readonly #entrance: Entrance;
  readonly #inlets = new Map<Connection, Inlet>();
  #accepted!: Counter; // these three are set by #count
  #refused!: Counter;
  #open!: Gauge;
  readonly #refusals: RefusalLog;
  readonly #tunnels: Tunnels;
  /** Null: nobody is asked for mTLS here. */
  readonly #traffic: InboundTraffic | null;
  #draining = false;

  constructor(name: string, runtime: ListenerRuntime, deps: ListenerDeps) {
    this.#name = name;
    this.runtime = runtime;
    this.deps = deps;
    this.#limits = { ...LISTENER_LIMITS, ...deps.limits };
    const { metrics } = deps;
    this.#refusals = new RefusalLog(deps.log, deps.clock);
    this.#count(name);
    this.#tunnels = new Tunnels(metrics, name);
    this.#traffic = deps.security.kind === "mesh"
      ? new InboundTraffic(metrics, () => deps.clock.nowMs())
      : null;
    this.#entrance = createEntrance(deps.security, {
      entered: (socket, entry) => this.#accept(socket, entry),
      refused: (remote, refusal) => this.#refuse(remote, refusal),
      changed: () => this.sweep(), // whom it forbids to stay goes now, not at the next second
    }, () => deps.clock.monotonicMs());
    // Counts sockets that are still shaking hands too, which #accept has not seen yet.
    const { maxConnections } = this.#limits;
    deps.sockets.bound(this.#entrance.server, maxConnections);
  }

  /** Binds; rejects with a sentence that says which address was wanted and what to do. */
  listen(
    host: string,
    port: number,
    how: BindOptions = {},
  ): Promise<{ host: string; port: number }> {
    return bind(this.#entrance.server, this.name, { host, port, ...how }, this.deps.log);
  }

  /** Networks whose connections begin with a PROXY protocol header, from now on. */
  trust(networks: readonly string[]): void {
    this.#entrance.trust(networks);
  }

  /** Whether a sidecar's callers may come in plaintext, from now on; who is open and may not any more ends. */
  admit(mode: PeerMode): void {
    if (this.#entrance.mode === undefined || this.#entrance.mode === mode) return;
    this.#entrance.admit!(mode);
    this.sweep();
  }

  /** Who comes with mTLS and who without; null where nobody is asked for it. */
  inboundReport(): InboundReport | null {
    return this.#traffic?.report(this.#entrance.mode ?? "mesh") ?? null;
  }

  get name(): string {
    return this.#name;
  }

  /** The socket and what runs on it stay; from now on they count and are told of under this name. */
  rename(name: string): void {
    this.#name = name;
    this.#open.add(-this.#inlets.size); // another may have had the name until now
    this.#count(name);
    this.#open.add(this.#inlets.size);
    this.#tunnels.rename(name);
    this.deps.renamed(name);
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

  /** Ends connections, streams and tunnels that wait too long; called every second. */
  sweep(): void {
    const now = this.deps.clock.monotonicMs();
    this.#entrance.sweep(now, this.#limits.headTimeoutMs);
    this.#tunnels.sweep(now, this.#limits.tunnelIdleMs);
    for (const [connection, inlet] of this.#inlets) this.#look(connection, inlet, now);
  }

  #look(connection: Connection, inlet: Inlet, now: number): void {
    const { codec } = connection;
    const distrust = this.#distrust(inlet, now);
    if (distrust === "revoked") return connection.fail(FAULTS["downstream.distrusted"]);
    if (distrust !== null) codec.drain();
    // A request without end must not keep a peer in that would be refused at the door.
    if (now - inlet.distrustedMs > this.#limits.distrustGraceMs) {
      return connection.fail(FAULTS["downstream.distrusted"]);
    }
    codec.sweep?.(now);
    const patience = inlet.watch.look(connection, this.#limits, now, inlet.tunnels > 0);
    if (patience === "cut") this.#expire(connection);
    else if (patience === "drain") codec.drain();
  }

  /**
   * Accepts no more, lets exchanges end, then cuts what is left at the deadline. A kept HTTP/1.1
   * connection that rests is not closed at once: its client's next request may be on the way, and
   * would be lost. It is answered with `connection: close` when it comes.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const { server } = this.#entrance;
    this.#entrance.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
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

  #count(listener: string): void {
    const { metrics } = this.deps;
    const labels = { listener };
    this.#accepted = metrics.counter("denim_connections_total", "Connections accepted", labels);
    this.#refused = metrics.counter(
      "denim_connections_refused_total",
      "Connections closed before a request could be read",
      labels,
    );
    this.#open = metrics.gauge("denim_connections_open", "Connections open now", labels);
  }

  #refuse(remote: string, { reason, detail }: Refused): void {
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

  /**
   * Certificates expire and bundles change while connections are open: then peers may end what they
   * began. Who is revoked may not. Null: nothing new.
   */
  #distrust(inlet: Inlet, monotonicMs: number): string | null {
    const { security, clock, log } = this.deps;
    if (security.kind !== "mesh") return null;
    const verdict = inlet.admitted === null
      ? this.#entrance.mode === "mesh" ? PLAINTEXT_ENDED : OK
      : stillTrusted(inlet.admitted, security.identity, clock.nowMs());
    if (verdict.ok) return null;
    const { reason, detail } = verdict;
    if (inlet.distrustedMs < Infinity) return reason === "revoked" ? reason : null;
    inlet.distrustedMs = monotonicMs;
    log.warn("inbound.closed", { listener: this.name, peer: inlet.peer, reason, detail });
    return reason;
  }

  #accept(socket: Socket, entry: Entry): void {
    if (this.#inlets.size >= this.#limits.maxConnections) {
      this.#refused.add();
      return void socket.destroy();
    }
    this.#accepted.add();
    const connection = new Connection(socket, this);
    const inlet = new Inlet(this, entry, socket);
    const tally: Tally | null = this.#traffic?.entered(entry) ?? null;
    connection.lastActiveMs = this.deps.clock.monotonicMs();
    connection.codec = this.deps.codec(
      connection,
      (stream) => {
        if (this.#draining) connection.codec.drain(); // its answer says that it is the last
        if (tally !== null) tally.request();
        return new Exchange(inlet, stream);
      },
      entry,
    );
    this.#inlets.set(connection, inlet);
    this.#open.set(this.#inlets.size);
    if (this.#draining && connection.codec.protocol === "h2") connection.codec.drain();
    connection.codec.connected?.();
    connection.open();
  }
}
