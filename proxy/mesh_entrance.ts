/**
 * The door between sidecars. Everybody gets through the TLS handshake, so that a refusal has a reason; none
 * without admission speaks. Where the configuration allows plaintext, the first byte tells the two apart:
 *
 *   mesh               every connection ─────────▶ TLS, the peer proves who it is
 *   permissive, none   0x16, a TLS handshake ────▶ the same TLS, by the same rule
 *                      anything else ────────────▶ plaintext, nobody has proved anything
 *
 * `none` differs in what callers are told only. Those who have not heard of it yet, or have heard already that
 * it is over, come with mTLS: a change of mode must not lose their requests.
 *
 * A certificate that is not good is refused in every mode: plaintext is not a way to a name. Nor is a ticket,
 * since resumed sessions are refused (proxy/tls/peer.ts).
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import {
  alpnOf,
  type Entrance,
  type EntranceEvents,
  type PeerMode,
  remoteOf,
  reportHandshakes,
  SOCKET_OPTIONS,
} from "./entry.ts";
import { admitPeer, type MeshIdentity } from "./tls/mod.ts";

/** The first byte of a TLS record that holds a handshake (RFC 8446 5.1); no HTTP request begins with it. */
const HANDSHAKE = 0x16;

export class MeshEntrance implements Entrance {
  readonly server: Server;
  readonly close: () => void;
  readonly #events: EntranceEvents;
  readonly #monotonicMs: () => number;
  readonly #tls: Server;
  /** Sockets whose first byte is still to come, and since when. */
  readonly #waiting = new Map<Socket, number>();
  #mode: PeerMode;

  constructor(
    identity: MeshIdentity,
    mode: PeerMode,
    events: EntranceEvents,
    monotonicMs: () => number,
  ) {
    this.#events = events;
    this.#mode = mode;
    this.#monotonicMs = monotonicMs;
    const tls = createTlsServer({ ...SOCKET_OPTIONS, ...identity.serverOptions() }, (socket) => {
      this.#judge(socket, identity);
    });
    this.#tls = tls;
    reportHandshakes(tls, events);
    this.server = createServer(SOCKET_OPTIONS, (socket) => this.#take(socket));
    const unfollow = identity.onChange(() => {
      tls.setSecureContext(identity.serverOptions());
      events.changed();
    });
    this.close = () => {
      unfollow();
      for (const socket of this.#waiting.keys()) this.#drop(socket);
    };
  }

  get mode(): PeerMode {
    return this.#mode;
  }

  /** Holds for connections that come from now on. */
  admit(mode: PeerMode): void {
    this.#mode = mode;
  }

  // Sidecars meet face to face: between them nobody else says who is who.
  trust(): void {}

  sweep(nowMs: number, timeoutMs: number): void {
    for (const [socket, sinceMs] of this.#waiting) {
      if (nowMs - sinceMs > timeoutMs) this.#drop(socket);
    }
  }

  #take(socket: Socket): void {
    if (this.#mode === "mesh") return void this.#tls.emit("connection", socket);
    this.#waiting.set(socket, this.#monotonicMs());
    const gone = (): void => this.#drop(socket);
    const first = (bytes: Uint8Array): void => {
      this.#waiting.delete(socket);
      socket.off("data", first).off("end", gone).pause();
      socket.unshift(bytes);
      if (bytes[0] === HANDSHAKE) this.#tls.emit("connection", socket);
      else if (this.#mode === "mesh") this.#refusePlain(socket); // changed while we waited
      else this.#plain(socket);
    };
    socket.on("error", () => {}).on("close", () => this.#waiting.delete(socket));
    socket.on("end", gone).on("data", first);
  }

  #plain(socket: Socket): void {
    this.#events.entered(socket, {
      tls: false,
      admitted: null,
      alpn: "",
      remote: remoteOf(socket),
    });
  }

  #refusePlain(socket: Socket): void {
    const detail = "the connection does not begin with a TLS handshake";
    this.#events.refused(remoteOf(socket), { reason: "handshake", detail });
    socket.destroy();
  }

  #judge(socket: TLSSocket, identity: MeshIdentity): void {
    const admission = admitPeer(socket, identity, "client");
    const remote = remoteOf(socket);
    if (admission.ok) {
      const alpn = alpnOf(socket);
      return this.#events.entered(socket, { tls: true, admitted: admission, alpn, remote });
    }
    this.#events.refused(remote, admission);
    socket.on("error", () => {});
    socket.destroy();
  }

  #drop(socket: Socket): void {
    this.#waiting.delete(socket);
    socket.destroy();
  }
}
