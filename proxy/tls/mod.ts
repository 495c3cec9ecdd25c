/**
 * Identity on the wire: our own X.509 reader and verification (never the runtime's `authorized`),
 * SPIFFE ids, the node:tls options of a mesh identity, and admission of each connection's peer. Beside
 * it the certificates of the edge (edge.ts), whose clients have no identity.
 *
 * ```ts
 * const identity = new MeshIdentity({ trustDomain, keyPem, chainPem, bundle });
 * const server = tls.createServer(identity.serverOptions(), (socket) => {
 *   const peer = admitPeer(socket, identity, "client");
 *   if (!peer.ok) return refuseConnection(socket, peer.reason, peer.detail);
 *   serve(socket, peer.identity); // and now and then: stillTrusted(peer, identity, nowMs)
 * });
 * server.on("tlsClientError", (error, socket) => refuseHandshake(error, socket)); // closes it, says why
 * identity.keepServer(server); // identity.replace(…) rotates without a dropped connection
 *
 * const upstream = tls.connect({ host, port, ...identity.connectOptions(endpoint.identity) });
 * ```
 *
 * What Deno 2.9.6 does, tried out, and what follows from it:
 * - A resumed session is not verified at all, and its ticket may come from any listener of the
 *   process, so `admitPeer` refuses resumed sessions. Our own clients never resume: with a `ca` or a
 *   `secureContext` of its own every `tls.connect` makes a full handshake.
 * - With `rejectUnauthorized: false` a server lets every certificate through but still checks that
 *   the client holds its key (alert decrypt_error). Of a client the same cannot be relied on, hence
 *   `rejectUnauthorized: true` there.
 * - A peer we refuse has already seen `secureConnect`: TLS 1.3 lets the client finish first. It then
 *   reads end-of-file without a byte; on a fresh mTLS connection that means "refused", not "reset".
 * - `getPeerCertificate(true)` gives the whole chain the peer sent, as raw DER, in both roles.
 * - `server.setSecureContext` changes certificate and bundle for new handshakes at once.
 * - A server's `handshakeTimeout` is reported as `tlsClientError` but the socket stays open, so the
 *   handler must close it. Sockets still shaking hands count into `server.maxConnections` only.
 * - A key that does not belong to its certificate shows only as a protocol error in handshakes, so
 *   MeshIdentity checks the pair first.
 *
 * @module
 */
export { readTrustBundle, type TrustBundle } from "./bundle.ts";
export { joinOptions, MESH_ALPN } from "./client_options.ts";
export {
  HANDSHAKE_TIMEOUT_MS,
  IdentityError,
  type IdentityMaterial,
  MeshIdentity,
  type MeshIdentityOptions,
} from "./context.ts";
export { type Certificate, issuerOf, nameOfKey, parseCertificate } from "./certificate.ts";
export { type EdgeCertificate, EdgeTls, keyName, readLeaf, readPair } from "./edge.ts";
export type { ForeignBundle } from "./federation.ts";
export { createKeyAndCsr, type KeyAndCsr } from "./csr.ts";
export {
  type Admission,
  admitPeer,
  type AdmittedPeer,
  refuseHandshake,
  stillTrusted,
} from "./peer.ts";
export { decodePem, encodePem } from "./pem.ts";
export { type Refusal, REFUSAL_REASONS, type RefusalReason } from "./refusal.ts";
export { MAX_REVOCATIONS, type RevocationLists, type Revocations } from "./revocations.ts";
export {
  formatWorkloadId,
  isTrustDomain,
  parseSpiffeId,
  parseWorkloadId,
  type SpiffeId,
  type WorkloadId,
} from "./spiffe.ts";
export {
  DEFAULT_SKEW_MS,
  type PeerRole,
  type PeerVerdict,
  type VerifiedPeer,
  type VerifyOptions,
  verifyPeer,
} from "./verify.ts";
