/** The door of a listener: takes sockets in, finishes their TLS, and hands on those that may speak. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Forecourt } from "./forecourt.ts";
import { admitPeer, type AdmittedPeer, type MeshIdentity, refuseHandshake } from "./tls/mod.ts";

/** What stands before the first byte: nothing, or mTLS with an identity of the mesh on either side. */
export type Security =
  | { readonly kind: "plain" }
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
  if (security.kind === "plain") return plainEntrance(events, monotonicMs);
  return meshEntrance(security.identity, events);
}

function plainEntrance(events: EntranceEvents, monotonicMs: () => number): Entrance {
  const forecourt = new Forecourt({
    entered: (socket, remote) => {
      socket.resume(); // takes effect after this turn, when somebody listens
      events.entered(socket, { tls: false, admitted: null, alpn: "", remote });
    },
    refused: (remote, { code, detail }) => events.refused(remote, { reason: code, detail }),
  });
  return {
    server: createServer(OPTIONS, (socket) => forecourt.take(socket, monotonicMs())),
    trust: (networks) => forecourt.trust(networks),
    sweep: (nowMs, timeoutMs) => forecourt.sweep(nowMs, timeoutMs),
    close: () => forecourt.close(),
  };
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

function reportHandshakes(server: Server, events: EntranceEvents): void {
  server.on(
    "tlsClientError",
    (error: Error, socket: TLSSocket) =>
      events.refused(remoteOf(socket), refuseHandshake(error, socket)),
  );
}

function alpnOf(socket: TLSSocket): string {
  return typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "";
}

export function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
