/**
 * Before a listener's door: connections from trusted networks begin with a PROXY protocol header, which
 * says who their client is and is taken away here. From everybody else no such header is taken.
 *
 *   trusted   ── header ──▶ in, as the client it names      anything else, or nothing in time ──▶ closed
 *   others    ────────────▶ in, as who they are
 */
import type { Socket } from "node:net";
import { type Fault, FAULTS } from "../core/fault.ts";
import { remoteOf } from "./entry.ts";
import { FAILED, ProxyHeaderReader, READING } from "./l4/proxy_header.ts";
import { Networks } from "./networks.ts";

export interface ForecourtEvents {
  /**
   * `remote`: `ip:port` of the client. Nobody listens to the socket yet; it may be paused with bytes of
   * the client's in it. For plain bytes resume() it; a TLS server takes it as it is, by its `connection`.
   */
  entered(socket: Socket, remote: string): void;
  refused(remote: string, fault: Fault): void;
}

export class Forecourt {
  readonly #events: ForecourtEvents;
  /** Sockets whose header is still to come, and since when. */
  readonly #waiting = new Map<Socket, number>();
  /** Who came by a balancer: the clients by the balancer's end of the connection, while it lasts. */
  readonly #clients = new Map<string, string>();
  #networks = new Networks([]);

  constructor(events: ForecourtEvents) {
    this.#events = events;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `ip:port` of the client behind the other end of an open connection. */
  clientOf(remote: string): string {
    return this.#clients.get(remote) ?? remote;
  }

  /** Holds for connections that come from now on. */
  trust(networks: readonly string[]): void {
    this.#networks = new Networks(networks);
  }

  take(socket: Socket, nowMs: number): void {
    const remote = remoteOf(socket);
    if (!this.#networks.has(String(socket.remoteAddress))) {
      return this.#events.entered(socket, remote);
    }
    const reader = new ProxyHeaderReader();
    this.#waiting.set(socket, nowMs);
    const end = (): void => this.#drop(socket); // a balancer's health check, mostly
    const read = (bytes: Uint8Array): void => {
      const taken = reader.feed(bytes);
      if (reader.state === READING) return;
      this.#waiting.delete(socket);
      socket.off("data", read).off("end", end);
      if (reader.state === FAILED) {
        this.#events.refused(remote, reader.fault);
        return void socket.resetAndDestroy();
      }
      socket.pause();
      if (taken < bytes.length) socket.unshift(bytes.subarray(taken));
      if (reader.source !== "") this.#clients.set(remote, reader.source);
      this.#events.entered(socket, this.clientOf(remote));
    };
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#waiting.delete(socket);
      this.#clients.delete(remote);
    });
    socket.on("end", end).on("data", read);
  }

  /** Ends those that keep us waiting; to be called every second. */
  sweep(nowMs: number, timeoutMs: number): void {
    for (const [socket, sinceMs] of this.#waiting) {
      if (nowMs - sinceMs <= timeoutMs) continue;
      this.#events.refused(remoteOf(socket), FAULTS["proxy_protocol.timeout"]);
      this.#drop(socket);
    }
  }

  /** Nobody waits here any more. */
  close(): void {
    for (const socket of this.#waiting.keys()) this.#drop(socket);
  }

  #drop(socket: Socket): void {
    this.#waiting.delete(socket);
    socket.destroy();
  }
}
