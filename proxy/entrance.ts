/** The door of a listener: takes sockets in, finishes their TLS, and hands on those that may speak. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import {
  admitPeer,
  type AdmittedPeer,
  type MeshIdentity,
  type Refusal,
  refuseHandshake,
} from "./tls/mod.ts";

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
}

export interface EntranceEvents {
  entered(socket: Socket, entry: Entry): void;
  refused(remote: string, refusal: Refusal): void;
  /** What peers are judged by is another now. */
  changed(): void;
}

export interface Entrance {
  readonly server: Server;
  /** Stops following changes; the server is the caller's to close. */
  close(): void;
}

const OPTIONS = { noDelay: true, allowHalfOpen: true };
const PLAIN: Entry = { tls: false, admitted: null, alpn: "" };

export function createEntrance(security: Security, events: EntranceEvents): Entrance {
  if (security.kind === "plain") {
    const server = createServer(OPTIONS, (socket) => events.entered(socket, PLAIN));
    return { server, close() {} };
  }
  return meshEntrance(security.identity, events);
}

/** Everybody gets through the handshake, so that a refusal has a reason; none without admission speaks. */
function meshEntrance(identity: MeshIdentity, events: EntranceEvents): Entrance {
  const server = createTlsServer({ ...OPTIONS, ...identity.serverOptions() }, (socket) => {
    const admission = admitPeer(socket, identity, "client");
    if (admission.ok) {
      return events.entered(socket, { tls: true, admitted: admission, alpn: alpnOf(socket) });
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
  return { server, close };
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
