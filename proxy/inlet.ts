/** One accepted connection, as its exchanges see it. */
import type { Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import type { Entry } from "./entry.ts";
import type { Exchange } from "./exchange.ts";
import type { Arrival } from "./exchange_state.ts";
import type { Overload } from "./overload.ts";
import { Watch } from "./patience.ts";
import type { ListenerRuntime } from "./snapshot.ts";
import type { AdmittedPeer } from "./tls/mod.ts";

/** What it needs of its listener. */
export interface InletOwner {
  readonly runtime: ListenerRuntime;
  readonly deps: {
    readonly clock: Clock;
    readonly overload: Overload;
    readonly shed: ListenerRuntime;
  };
  switched(x: Exchange, nowMs: number): void;
  ended(x: Exchange): void;
}

export class Inlet implements Arrival {
  readonly #owner: InletOwner;
  readonly admitted: AdmittedPeer | null;
  readonly peer: string;
  readonly remote: string;
  readonly servername: string;
  readonly watch: Watch;
  /** Exchanges that have become tunnels, which have an idle timeout of their own. */
  tunnels = 0;
  /** When its peer ceased to be trusted, on the monotonic clock; Infinity: it is. */
  distrustedMs = Infinity;

  readonly #socket: Pick<Socket, "localAddress" | "localPort">;

  constructor(
    owner: InletOwner,
    { remote, admitted, servername = "" }: Entry,
    socket: Pick<Socket, "localAddress" | "localPort">,
  ) {
    this.#owner = owner;
    this.#socket = socket;
    this.admitted = admitted;
    this.peer = admitted === null ? "" : admitted.identity;
    this.remote = remote;
    this.servername = servername;
    this.watch = new Watch(this.monotonicMs());
  }
  get local(): string {
    const { localAddress, localPort } = this.#socket;
    return localAddress === undefined ? "" : `${localAddress}:${localPort}`;
  }
  get runtime(): ListenerRuntime {
    const { runtime, deps: { overload, shed } } = this.#owner;
    return overload.began() ? runtime : shed;
  }
  switched(x: Exchange): void {
    this.tunnels++;
    this.#owner.switched(x, this.monotonicMs());
  }
  ended(x: Exchange): void {
    this.#owner.deps.overload.ended();
    if (x.switchedMs > 0) this.tunnels--;
    this.#owner.ended(x);
  }
  monotonicMs(): number {
    return this.#owner.deps.clock.monotonicMs();
  }
}
