/** Connecting to the control plane: TLS that proves who is there, then frames. */
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { FrameSocket } from "../../control/schema/frame_socket.ts";
import { CONTROL_ALPN, type ToProxy } from "../../control/schema/protocol.ts";
import {
  admitPeer,
  decodePem,
  formatWorkloadId,
  joinOptions,
  type MeshIdentity,
  parseCertificate,
  readTrustBundle,
} from "../tls/mod.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface LinkEvents {
  /** The control plane is there and is who it should be. */
  connected(): void;
  message(message: ToProxy): void;
  module(digest: string, bytes: Uint8Array): void;
  /** Exactly once, last. */
  closed(reason: string): void;
}

const CONNECT_TIMEOUT_MS = 5000;
const TRUST_DOMAIN = /^spiffe:\/\/([a-z0-9._-]+)$/;

/** The identity every control plane of a trust domain has. */
export function controlPlaneId(trustDomain: string): string {
  return formatWorkloadId({ trustDomain, namespace: "denim-system", service: "control-plane" });
}

/** The trust domain a bundle is for: its root certificates name it. Throws with what is wrong. */
export function trustDomainOf(bundlePem: string): string {
  const domains = new Set<string>();
  for (const der of decodePem(bundlePem, "CERTIFICATE") ?? []) {
    const certificate = parseCertificate(der);
    if (typeof certificate === "string") continue;
    for (const uri of certificate.uris) {
      const domain = TRUST_DOMAIN.exec(uri)?.[1];
      if (domain !== undefined) domains.add(domain);
    }
  }
  const [domain] = domains;
  if (domains.size === 1 && domain !== undefined) return domain;
  throw new Error(
    "Cannot use the trust bundle: PEM certificates that name one trust domain are wanted. " +
      "Get it from the control plane: curl http://CONTROL/api/v1/trust-bundle",
  );
}

/** One connection with our identity. */
export function connectLink(place: Place, identity: MeshIdentity, events: LinkEvents): FrameSocket {
  const expected = controlPlaneId(identity.trust.domain);
  const options = identity.connectOptions(expected, CONTROL_ALPN);
  return open(place, options, events, (socket) => {
    const peer = admitPeer(socket, identity, "server", expected);
    return peer.ok ? null : peer.detail;
  });
}

/** One connection without an identity, to join. */
export function connectToJoin(
  place: Place,
  bundlePem: string,
  events: LinkEvents,
): FrameSocket {
  const domain = trustDomainOf(bundlePem);
  const trust = readTrustBundle(domain, [bundlePem]);
  const options = joinOptions(trust, controlPlaneId(domain), { alpn: CONTROL_ALPN });
  return open(place, options, events, (socket) => {
    return socket.isSessionReused() ? "the connection resumes an earlier session" : null;
  });
}

function open(
  { host, port }: Place,
  options: ConnectionOptions,
  events: LinkEvents,
  judge: (socket: TLSSocket) => string | null,
): FrameSocket {
  const socket = connect({ host, port, ...options });
  const late = setTimeout(
    () => link.destroy(`No connection within ${CONNECT_TIMEOUT_MS} ms`),
    CONNECT_TIMEOUT_MS,
  );
  const link = new FrameSocket(socket, {
    json: (payload) => {
      const message = readMessage(payload);
      if (message !== null) events.message(message);
      else link.destroy("The control plane sent a frame that is not JSON");
    },
    module: (digest, bytes) => events.module(digest, bytes),
    closed: (reason) => {
      clearTimeout(late);
      events.closed(reason);
    },
  });
  socket.on("secureConnect", () => {
    clearTimeout(late);
    const refusal = judge(socket);
    if (refusal !== null) return link.destroy(refusal);
    socket.setNoDelay(true);
    events.connected();
  });
  return link;
}

/** The control plane has proved who it is, so its messages are taken as they are written. */
function readMessage(payload: Uint8Array): ToProxy | null {
  try {
    return JSON.parse(new TextDecoder().decode(payload)) as ToProxy;
  } catch {
    return null;
  }
}
