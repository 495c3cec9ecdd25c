/** Admits the peer of a finished TLS handshake, or says why not; and says later whether it may stay. */
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from "node:tls";
import type { MeshIdentity } from "./context.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { MAX_PEER_CERTIFICATES, type PeerRole, type VerifiedPeer } from "./verify.ts";

/** A peer that was let in, with what is needed to judge it again. */
export interface AdmittedPeer extends VerifiedPeer {
  readonly role: PeerRole;
  /** The identity's generation it was last judged by; kept by {@link stillTrusted}. */
  generation: number;
  /** What that came to; absent or null: it is good. */
  refusal?: Refusal | null;
}

export type Admission = AdmittedPeer | Refusal;

/**
 * Judges the peer of `socket`, which is `role` to us. To be called on `secureConnection` and
 * `secureConnect`, before reading or writing anything; a refused socket is to be destroyed.
 */
export function admitPeer(
  socket: TLSSocket,
  identity: MeshIdentity,
  role: PeerRole,
  expected?: string | readonly string[],
): Admission {
  // All servers of a Deno process share one ticket key and nothing is verified on resumption, so a
  // ticket from any other listener, or from before a rotation, would carry its holder in here.
  if (socket.isSessionReused()) return refuse("resumed_session");
  const verdict = identity.verify(chainOf(socket.getPeerCertificate(true)), role, expected);
  if (!verdict.ok) return verdict;
  return { ...verdict, role, generation: identity.generation };
}

/**
 * Judges an open connection again by what is in force now: its certificate may have expired or been
 * revoked, or its authority have left the bundle. Cheap enough to ask for all of them every second: who
 * was refused once is so until something changes, and no signature of theirs is checked again before.
 */
export function stillTrusted(
  peer: AdmittedPeer,
  identity: MeshIdentity,
  nowMs: number,
): { readonly ok: true } | Refusal {
  const { refusal = null } = peer;
  if (peer.generation === identity.generation) {
    if (refusal !== null) return refusal;
    if (nowMs <= peer.notAfterMs) return OK;
  }
  peer.generation = identity.generation;
  peer.refusal = judgeAgain(peer, identity, nowMs);
  return peer.refusal ?? OK;
}

function judgeAgain(peer: AdmittedPeer, identity: MeshIdentity, nowMs: number): Refusal | null {
  const verdict = identity.verify(peer.chain, peer.role, peer.identity);
  if (!verdict.ok) return verdict;
  if (nowMs <= peer.notAfterMs) return null;
  return refuse("expired", new Date(peer.notAfterMs).toISOString());
}

/**
 * What a server's `tlsClientError` came to. Closes the socket, which Deno 2.9.6 leaves open after the
 * handshake timed out: a client that never says hello would keep it for ever.
 */
export function refuseHandshake(error: Error & { code?: string }, socket: TLSSocket): Refusal {
  socket.destroy();
  // Every certificate passes our handshake, so what this code reports is that the key is not theirs.
  const about = error.code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
    ? "the client does not hold the key of its certificate, which may be one that cannot be read"
    : error.message;
  return refuse("handshake", about);
}

const OK = { ok: true } as const;

/** The certificates behind what the runtime says of a peer, as raw DER; its own reading is not used. */
export function chainOf(shown: PeerCertificate | DetailedPeerCertificate | null): Uint8Array[] {
  const chain: Uint8Array[] = [];
  const seen = new Set<unknown>();
  let next: Partial<DetailedPeerCertificate> | null | undefined = shown;
  // The last certificate names itself as issuer, in Deno even when it is not self-signed.
  while (next?.raw !== undefined && !seen.has(next) && chain.length <= MAX_PEER_CERTIFICATES) {
    seen.add(next);
    chain.push(new Uint8Array(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}
