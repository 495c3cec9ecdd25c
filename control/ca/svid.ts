/** X.509-SVIDs as they are handed out. */
import { encodePem } from "../../proxy/tls/mod.ts";
import type { X509Certificate } from "./x509.ts";

/** Backdating, so that a proxy whose clock is a little behind can use its certificate at once. */
export const BACKDATE_MS = 60_000;

/** What an SVID request gets back. */
export interface IssuedSvid {
  /** PEM, leaf first, then the authorities up to the root, without it. */
  readonly chainPem: string;
  /** Upper-case hexadecimal, without leading zeros. */
  readonly serial: string;
  /** The same of the certificate that signed it. */
  readonly issuerSerial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export function pemOf(certificate: X509Certificate): string {
  return encodePem(new Uint8Array(certificate.rawData), "CERTIFICATE");
}
