/** Why a peer was refused: stable codes for logs and metrics, sentences for people. */

const TABLE = {
  handshake: "The TLS handshake failed",
  resumed_session: "The connection resumes an earlier session, which proves nothing about now",
  no_certificate: "The peer sent no certificate",
  too_many_certificates: "The peer sent more certificates than the limit",
  malformed: "A certificate is malformed",
  unsupported: "A certificate has a critical extension or a key that is not supported",
  leaf_is_ca: "The certificate is one of an authority, not of a workload",
  key_usage: "The key usage of the certificate is not that of a workload",
  extended_key_usage: "The extended key usage does not allow this role",
  san_count: "The certificate does not name exactly one URI",
  bad_spiffe_id: "The URI in the certificate is not a strict SPIFFE id",
  unknown_authority: "No current authority of the trust bundle vouches for the certificate",
  bad_signature: "The certificate was not signed by the authority it names",
  expired: "A certificate of the path has expired",
  not_yet_valid: "A certificate of the path is not valid yet: compare the clocks of both machines",
  wrong_trust_domain: "The peer belongs to another trust domain",
  wrong_identity: "The peer is not the one that was expected",
  revoked: "The identity or its certificate has been revoked",
  revoked_authority: "An authority of the path has been revoked",
} as const;

export type RefusalReason = keyof typeof TABLE;

/** Every reason there is: the label values of metrics. */
export const REFUSAL_REASONS: readonly RefusalReason[] = Object.keys(TABLE) as RefusalReason[];

export interface Refusal {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** A sentence without a full stop, and what it was about. May quote the peer's bytes. */
  readonly detail: string;
}

export function refuse(reason: RefusalReason, about = ""): Refusal {
  return { ok: false, reason, detail: about === "" ? TABLE[reason] : `${TABLE[reason]}: ${about}` };
}
