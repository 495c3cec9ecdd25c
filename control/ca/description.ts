/** An authority in words: what `denim ca show` and the API say of it. Certificates only, never a key. */
import { decodePem, parseCertificate } from "../../proxy/tls/mod.ts";
import type { AuthorityView, CertificateView } from "../view.ts";
import type { Authority } from "./authority.ts";
import { sha256Hex } from "../digest.ts";
import { X509Certificate } from "./x509.ts";

export function describeAuthority(authority: Authority): Omit<AuthorityView, "federation"> {
  const { trustDomain, leafTtlMs, signer } = authority;
  const roots = authority.bundle().flatMap(blocks).map(describe);
  const issuers = authority.issuers().flatMap(blocks).map(describe);
  return { trustDomain, signer, leafTtlMs, roots, issuers };
}

function blocks(pem: string): Uint8Array[] {
  return decodePem(pem, "CERTIFICATE") ?? [];
}

function describe(der: Uint8Array): CertificateView {
  const read = parseCertificate(der);
  if (typeof read === "string") throw new Error(`A certificate of the authority is ${read}`);
  return {
    subject: new X509Certificate(der as Uint8Array<ArrayBuffer>).subject,
    serial: read.serial,
    notBefore: new Date(read.notBeforeMs).toISOString(),
    notAfter: new Date(read.notAfterMs).toISOString(),
    sha256: sha256Hex(der),
  };
}
