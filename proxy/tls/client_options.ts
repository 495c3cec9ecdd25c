/** Options for `tls.connect`: the server proves who it is in the handshake, or nothing is sent. */
import type { ConnectionOptions, PeerCertificate } from "node:tls";
import type { TrustBundle } from "./bundle.ts";
import { chainOf } from "./peer.ts";
import { type PeerVerdict, verifyPeer } from "./verify.ts";

/** What sidecars speak to each other, best first. */
export const MESH_ALPN: readonly string[] = ["h2", "http/1.1"];

/**
 * Options for the one `tls.connect` made before there is an identity: to join. The server must prove
 * `expected` by the bundle handed over with the join token; we show no certificate.
 */
export function joinOptions(
  trust: TrustBundle,
  expected: string | readonly string[],
  options: { readonly alpn?: readonly string[]; readonly nowMs?: () => number } = {},
): ConnectionOptions {
  const nowMs = options.nowMs ?? Date.now;
  return clientOptions(
    { ca: [...trust.pem], minVersion: "TLSv1.3" },
    options.alpn ?? MESH_ALPN,
    (chain) =>
      verifyPeer(chain, trust, { nowMs: nowMs(), role: "server", expectedIdentity: expected }),
  );
}

/** `secrets` is what we show and whom the runtime's own check believes; `judge` is ours. */
export function clientOptions(
  secrets: ConnectionOptions,
  alpn: readonly string[],
  judge: (chain: readonly Uint8Array[]) => PeerVerdict,
): ConnectionOptions {
  return {
    ...secrets,
    // Without the runtime's check a server would not even have to hold the key of its certificate.
    rejectUnauthorized: true,
    // Identities are in the certificate, never in a name a resolver could change.
    servername: "",
    minVersion: "TLSv1.3",
    ALPNProtocols: [...alpn],
    checkServerIdentity: (_host: string, shown: PeerCertificate): Error | undefined => {
      const verdict = judge(chainOf(shown));
      if (verdict.ok) return undefined;
      return Object.assign(new Error(verdict.detail), { code: `peer.${verdict.reason}` });
    },
  };
}
