/** Reads a signing request: takes its public key, after proof of possession, and nothing else. */
import { decodePem } from "../../proxy/tls/mod.ts";
import { Pkcs10CertificateRequest } from "./x509.ts";

/** A P-256 request is about 250 bytes. */
export const MAX_CSR_CHARS = 4096;

export type CsrErrorCode = "malformed" | "too_large" | "bad_key" | "no_proof";

/** A request that was refused; `code` is stable, the message is for people. */
export class CsrError extends Error {
  readonly code: CsrErrorCode;

  constructor(code: CsrErrorCode, message: string) {
    super(message);
    this.name = "CsrError";
    this.code = code;
  }
}

/**
 * The P-256 key of a request whose sender holds the private half; rejects with CsrError otherwise.
 *
 * Whatever else the request asks for (a subject, alternative names, to be a CA) is not even looked
 * at: the identity comes from the token or certificate its sender came with.
 */
export async function readCsr(pem: string): Promise<CryptoKey> {
  if (pem.length > MAX_CSR_CHARS) {
    throw new CsrError("too_large", `The request is larger than ${MAX_CSR_CHARS} characters`);
  }
  const blocks = decodePem(pem, "CERTIFICATE REQUEST");
  if (blocks === null || blocks.length !== 1) {
    throw new CsrError("malformed", "One PEM block of type CERTIFICATE REQUEST is wanted");
  }
  let request: Pkcs10CertificateRequest;
  let key: CryptoKey;
  try {
    request = new Pkcs10CertificateRequest(blocks[0] as Uint8Array<ArrayBuffer>);
    const { algorithm } = request.publicKey;
    if (!isP256(algorithm)) {
      throw new CsrError("bad_key", "The key is not on the curve P-256, the only one accepted");
    }
    key = await request.publicKey.export(P256, ["verify"]);
  } catch (error) {
    if (error instanceof CsrError) throw error;
    throw new CsrError("malformed", `The request cannot be read: ${messageOf(error)}`);
  }
  const proved = await request.verify().catch(() => false);
  if (!proved) {
    throw new CsrError("no_proof", "The request is not signed by the key it is for");
  }
  return key;
}

export const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;

function isP256(algorithm: Algorithm): boolean {
  return algorithm.name === P256.name &&
    (algorithm as EcKeyAlgorithm).namedCurve === P256.namedCurve;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
