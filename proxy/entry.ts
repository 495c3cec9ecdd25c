/** What the doors of listeners have in common: what they hand on, and whom they tell of it. */
import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type AdmittedPeer, refuseHandshake } from "./tls/mod.ts";

/** What callers of a sidecar may come with; the wire's names. */
export type PeerMode = "mesh" | "permissive" | "none";

/** What a socket that came in has shown. */
export interface Entry {
  readonly tls: boolean;
  /** Null where nobody has to prove who they are. */
  readonly admitted: AdmittedPeer | null;
  /** The protocol both sides agreed on; "" where none was spoken of. */
  readonly alpn: string;
  /** `ip:port` of the client: the other end of the socket, or who a trusted load balancer says it is. */
  readonly remote: string;
  /** The server an edge's client named in its TLS hello, lower-case; absent or "": none. */
  readonly servername?: string;
}

/** Why somebody was not let in. */
export interface Refused {
  readonly reason: string;
  readonly detail: string;
}

export interface EntranceEvents {
  entered(socket: Socket, entry: Entry): void;
  refused(remote: string, refusal: Refused): void;
  /** What peers are judged by is another now. */
  changed(): void;
}

export interface Entrance {
  readonly server: Server;
  /** Networks whose connections begin with a PROXY protocol header, from now on. */
  trust(networks: readonly string[]): void;
  /** Whether plaintext is let in too, or only, from now on; for doors of the mesh. */
  admit?(mode: PeerMode): void;
  /** What it is now. */
  readonly mode?: PeerMode;
  /** Ends sockets that keep the door waiting; to be called every second. */
  sweep(nowMs: number, timeoutMs: number): void;
  /** Stops following changes; the server is the caller's to close. */
  close(): void;
}

/** Of every server socket. */
export const SOCKET_OPTIONS = { noDelay: true, allowHalfOpen: true };

/** Handshakes that failed, and why. */
export function reportHandshakes(
  server: Server,
  events: Pick<EntranceEvents, "refused">,
): void {
  server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
    const remote = remoteOf(socket); // before it is closed, after which it has none
    events.refused(remote, refuseHandshake(error, socket));
  });
}

export function alpnOf(socket: TLSSocket): string {
  return typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "";
}

export function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/** The address of `ip:port`; one of IPv4 that came by an IPv6 socket as IPv4. */
export function addressOf(remote: string): string {
  const from = remote.startsWith("::ffff:") && remote.includes(".") ? 7 : 0;
  return remote.slice(from, remote.lastIndexOf(":"));
}
