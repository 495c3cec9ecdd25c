/** The authority's files: certificates beside their keys, keys readable by their owner only. */
import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { decodePem, encodePem } from "../../proxy/tls/mod.ts";
import type { SigningPair } from "./certificates.ts";
import { P256 } from "./csr.ts";
import { pemOf } from "./svid.ts";
import { X509Certificate } from "./x509.ts";
import { PRIVATE_MODE, readIfThere, writeWhole } from "../files.ts";

export const CERTIFICATE_MODE = 0o644, KEY_MODE = PRIVATE_MODE;
const OTHERS = 0o077;

/** The authority cannot work with what is on disk; the message says what to do. */
export class AuthorityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AuthorityError";
  }
}

/** Writes key, then certificate: a certificate on disk means that its key is there too. */
export async function writePair(certificateFile: string, keyFile: string, pair: SigningPair) {
  await writeKey(keyFile, pair.key);
  await writeCertificates(certificateFile, [pair.certificate]);
}

export async function writeKey(file: string, key: CryptoKey): Promise<void> {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  await writeWhole(file, encodePem(pkcs8, "PRIVATE KEY"), KEY_MODE);
}

export async function writeCertificates(
  file: string,
  certificates: readonly X509Certificate[],
): Promise<void> {
  await writeWhole(file, certificates.map(pemOf).join(""), CERTIFICATE_MODE);
}

/** The certificates of a file, in their order; null when there is no such file. */
export async function readCertificates(file: string): Promise<X509Certificate[] | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  if (text.includes("PRIVATE KEY-----")) {
    throw new AuthorityError(
      `Cannot use "${file}": there is a private key in it. Keys belong into a file of their own`,
    );
  }
  try {
    const blocks = decodePem(text, "CERTIFICATE");
    if (blocks !== null) {
      return blocks.map((der) => new X509Certificate(der as Uint8Array<ArrayBuffer>));
    }
  } catch {
    // falls through to the same advice
  }
  throw new AuthorityError(
    `Cannot read "${file}": PEM certificates, and no other text, are wanted. ${RESTORE}`,
  );
}

/** The signing key of a file, null when there is no such file. */
export async function readKey(file: string): Promise<CryptoKey | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  const { mode } = await Deno.stat(file);
  if (mode !== null && (mode & OTHERS) !== 0) {
    throw new AuthorityError(
      `Cannot use "${file}": others than its owner may read or write it. Run: chmod 600 "${file}"`,
    );
  }
  const label = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----/.exec(text)?.[1];
  if (label !== undefined && label !== "PRIVATE KEY") {
    const what = label === "RSA PRIVATE KEY"
      ? "an RSA key; a key on the curve P-256 is wanted"
      : label === "ENCRYPTED PRIVATE KEY"
      ? "an encrypted key, and there is nobody to ask for its password at a start. Decrypt it: " +
        "openssl pkey -in ENCRYPTED -out PLAIN"
      : `a key of the form "${label}". Convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW`;
    throw new AuthorityError(`Cannot use "${file}": it holds ${what}`);
  }
  const blocks = decodePem(text, "PRIVATE KEY");
  const type = keyType(blocks?.[0]);
  if (type !== null && type !== "P-256") {
    throw new AuthorityError(
      `Cannot use "${file}": it holds a key of type ${type}; a key on the curve P-256 is wanted`,
    );
  }
  try {
    if (blocks?.length === 1) {
      const der = blocks[0] as Uint8Array<ArrayBuffer>;
      return await crypto.subtle.importKey("pkcs8", der, P256, true, ["sign"]);
    }
  } catch {
    // falls through to the same advice
  }
  throw new AuthorityError(`Cannot read "${file}": a PKCS#8 P-256 key is wanted. ${RESTORE}`);
}

const RESTORE = "Restore it from a backup, or remove the folder to found the trust domain anew: " +
  "then every proxy has to join again";

/** `P-256`, or what else a PKCS#8 key is; null when it is none that can be read. */
function keyType(der: Uint8Array | undefined): string | null {
  try {
    const key = createPrivateKey({ key: Buffer.from(der!), format: "der", type: "pkcs8" });
    if (key.asymmetricKeyType !== "ec") return key.asymmetricKeyType ?? "unknown";
    const curve = key.asymmetricKeyDetails?.namedCurve ?? "unknown";
    return curve === "prime256v1" || curve === "p256" ? "P-256" : curve;
  } catch {
    return null;
  }
}
