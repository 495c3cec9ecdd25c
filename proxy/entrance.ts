/** The door of a listener: takes sockets in, finishes their TLS, and hands on those that may speak. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Forecourt } from "./forecourt.ts";
import {
  admitPeer,
  type AdmittedPeer,
  type EdgeTls,
  type MeshIdentity,
  refuseHandshake,
} from "./tls/mod.ts";

/**
 * What stands before the first byte: nothing, mTLS with an identity of the mesh on either side, or the
 * TLS of the world, whose clients prove nothing.
 */
export type Security =
  | { readonly kind: "plain" }
  | { readonly kind: "edge"; readonly tls: EdgeTls }
  | { readonly kind: "mesh"; readonly identity: MeshIdentity };

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
  /** Ends sockets that keep the door waiting; to be called every second. */
  sweep(nowMs: number, timeoutMs: number): void;
  /** Stops following changes; the server is the caller's to close. */
  close(): void;
}

const OPTIONS = { noDelay: true, allowHalfOpen: true };

export function createEntrance(
  security: Security,
  events: EntranceEvents,
  monotonicMs: () => number,
): Entrance {
  switch (security.kind) {
    case "plain":
      return openEntrance(events, monotonicMs, (socket, remote) => {
        events.entered(socket, { tls: false, admitted: null, alpn: "", remote });
      });
    case "edge":
      return edgeEntrance(security.tls, events, monotonicMs);
    case "mesh":
      return meshEntrance(security.identity, events);
  }
}

/** For everybody: a load balancer that is trusted may say who its client is. */
function openEntrance(
  events: EntranceEvents,
  monotonicMs: () => number,
  entered: (socket: Socket, remote: string) => void,
): Entrance & { clientOf(remote: string): string } {
  const forecourt = new Forecourt({
    entered,
    refused: (remote, { code, detail }) => events.refused(remote, { reason: code, detail }),
  });
  return {
    server: createServer(OPTIONS, (socket) => forecourt.take(socket, monotonicMs())),
    trust: (networks) => forecourt.trust(networks),
    sweep: (nowMs, timeoutMs) => forecourt.sweep(nowMs, timeoutMs),
    close: () => forecourt.close(),
    clientOf: (remote) => forecourt.clientOf(remote),
  };
}

/** TLS begins behind the forecourt, since a load balancer's header stands before it. */
function edgeEntrance(
  tls: EdgeTls,
  events: EntranceEvents,
  monotonicMs: () => number,
): Entrance {
  const server = createTlsServer({ ...OPTIONS, ...tls.serverOptions() }, (socket) => {
    const remote = door.clientOf(remoteOf(socket));
    const { servername } = socket as { readonly servername?: string | null | false };
    events.entered(socket, {
      tls: true,
      admitted: null,
      alpn: alpnOf(socket),
      remote,
      servername: servername || "",
    });
  });
  reportHandshakes(server, {
    refused: (remote, why) => events.refused(door.clientOf(remote), why),
  });
  const door = openEntrance(events, monotonicMs, (socket) => {
    server.emit("connection", socket);
  });
  return door;
}

/** Everybody gets through the handshake, so that a refusal has a reason; none without admission speaks. */
function meshEntrance(identity: MeshIdentity, events: EntranceEvents): Entrance {
  const server = createTlsServer({ ...OPTIONS, ...identity.serverOptions() }, (socket) => {
    const admission = admitPeer(socket, identity, "client");
    if (admission.ok) {
      const remote = remoteOf(socket);
      return events.entered(socket, {
        tls: true,
        admitted: admission,
        alpn: alpnOf(socket),
        remote,
      });
    }
    events.refused(remoteOf(socket), admission);
    socket.on("error", () => {});
    socket.destroy();
  });
  reportHandshakes(server, events);
  const close = identity.onChange(() => {
    server.setSecureContext(identity.serverOptions());
    events.changed();
  });
  // Sidecars meet face to face: between them nobody else says who is who.
  return { server, trust() {}, sweep() {}, close };
}

function reportHandshakes(
  server: Server,
  events: Pick<EntranceEvents, "refused">,
): void {
  server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
    const remote = remoteOf(socket); // before it is closed, after which it has none
    events.refused(remote, refuseHandshake(error, socket));
  });
}

function alpnOf(socket: TLSSocket): string {
  return typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "";
}

export function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
