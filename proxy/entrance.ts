/** The door of a listener: takes sockets in, finishes their TLS, and hands on those that may speak. */
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import {
  alpnOf,
  type Entrance,
  type EntranceEvents,
  type PeerMode,
  remoteOf,
  reportHandshakes,
  SOCKET_OPTIONS,
} from "./entry.ts";
import { Forecourt } from "./forecourt.ts";
import { MeshEntrance } from "./mesh_entrance.ts";
import type { EdgeTls, MeshIdentity } from "./tls/mod.ts";

/**
 * What stands before the first byte: nothing, mTLS with an identity of the mesh on either side, or the
 * TLS of the world, whose clients prove nothing.
 */
export type Security =
  | { readonly kind: "plain" }
  | { readonly kind: "edge"; readonly tls: EdgeTls }
  | { readonly kind: "mesh"; readonly identity: MeshIdentity; readonly mode?: PeerMode };

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
      return new MeshEntrance(security.identity, security.mode ?? "mesh", events, monotonicMs);
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
    server: createServer(SOCKET_OPTIONS, (socket) => forecourt.take(socket, monotonicMs())),
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
  const server = createTlsServer({ ...SOCKET_OPTIONS, ...tls.serverOptions() }, (socket) => {
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
