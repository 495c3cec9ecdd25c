/** The authority's files: certificates beside their keys, keys readable by their owner only. */
import { decodePem, encodePem } from "../../proxy/tls/mod.ts";
import type { SigningPair } from "./certificates.ts";
import { P256 } from "./csr.ts";
import { pemOf } from "./svid.ts";
import { X509Certificate } from "./x509.ts";

const CERTIFICATE_MODE = 0o644, KEY_MODE = 0o600, FOLDER_MODE = 0o700;
const OTHERS = 0o077;

/** The authority cannot work with what is on disk; the message says what to do. */
export class AuthorityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AuthorityError";
  }
}

export async function ensureFolder(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true, mode: FOLDER_MODE });
}

/** Writes key, then certificate: a certificate on disk means that its key is there too. */
export async function writePair(certificateFile: string, keyFile: string, pair: SigningPair) {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.key));
  await writeWhole(keyFile, encodePem(pkcs8, "PRIVATE KEY"), KEY_MODE);
  await writeWhole(certificateFile, pemOf(pair.certificate), CERTIFICATE_MODE);
}

/** The certificate of a file, null when there is no such file. */
export async function readCertificate(file: string): Promise<X509Certificate | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  const blocks = decodePem(text, "CERTIFICATE");
  try {
    if (blocks?.length === 1) return new X509Certificate(blocks[0] as Uint8Array<ArrayBuffer>);
  } catch {
    // falls through to the same advice
  }
  throw new AuthorityError(`Cannot read "${file}": one PEM certificate is wanted. ${RESTORE}`);
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
  const blocks = decodePem(text, "PRIVATE KEY");
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

/** All or nothing: a crash leaves the old file or the new one. */
async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.new`;
  await Deno.remove(temporary).catch(() => {}); // left by a crash, maybe with another mode
  const bytes = new TextEncoder().encode(text);
  {
    using handle = await Deno.open(temporary, { write: true, createNew: true, mode });
    for (let at = 0; at < bytes.length;) at += await handle.write(bytes.subarray(at));
    await handle.sync();
  }
  await Deno.rename(temporary, file);
}

/** The text of a file, null when there is no such file. */
async function readIfThere(file: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
