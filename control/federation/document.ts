/**
 * A trust bundle as SPIFFE domains exchange it: a JWK Set with one certificate a key (SPIFFE Trust Domain
 * and Bundle 4, RFC 7517).
 */
import { createPublicKey } from "node:crypto";
import { Buffer } from "node:buffer";
import { z } from "zod";
import { decodePem, encodePem, parseCertificate, readTrustBundle } from "../../proxy/tls/mod.ts";

/** A document that is longer is not read. */
export const MAX_DOCUMENT_BYTES = 512 * 1024;
/** Keys of one document, those that are not ours to read included. */
export const MAX_KEYS = 256;
/** How long a bundle holds when its document does not say; and the least and most that is believed. */
export const DEFAULT_REFRESH_MS = 300_000, MIN_REFRESH_MS = 5000, MAX_REFRESH_MS = 3_600_000;

export interface BundleDocument {
  /** PEM, one certificate each. */
  readonly bundle: readonly string[];
  /** Grows with every change of the bundle; null: the domain does not count. */
  readonly sequence: number | null;
  readonly refreshMs: number;
}

const document = z.object({
  keys: z.array(z.record(z.string(), z.unknown())).max(MAX_KEYS),
  spiffe_sequence: z.int().nonnegative().optional(),
  spiffe_refresh_hint: z.int().nonnegative().optional(),
});

/** The bundle of `domain` a document holds; throws TypeError with what is wrong. */
export function readDocument(domain: string, text: string): BundleDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TypeError("The bundle document is not JSON");
  }
  const parsed = document.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TypeError(
      `The bundle document is wrong at "${issue?.path.join(".")}": ${issue?.message}`,
    );
  }
  const { keys, spiffe_sequence, spiffe_refresh_hint } = parsed.data;
  const bundle = keys.flatMap((key, at) => readEntry(domain, key, at));
  readTrustBundle(domain, bundle); // a root at least, all of them authorities
  return {
    bundle,
    sequence: spiffe_sequence ?? null,
    refreshMs: Math.min(
      MAX_REFRESH_MS,
      Math.max(MIN_REFRESH_MS, (spiffe_refresh_hint ?? 0) * 1000 || DEFAULT_REFRESH_MS),
    ),
  };
}

/** The certificate of an entry; nothing for entries of another use, which have to be passed over (4.2.2). */
function readEntry(domain: string, key: Record<string, unknown>, at: number): string[] {
  if (key["use"] !== "x509-svid") return [];
  const x5c = key["x5c"];
  if (!Array.isArray(x5c) || x5c.length !== 1 || typeof x5c[0] !== "string") {
    throw new TypeError(
      `Key ${at + 1} of the bundle document: exactly one x5c certificate is wanted`,
    );
  }
  let der: Uint8Array;
  try {
    der = Uint8Array.fromBase64(x5c[0]);
  } catch {
    throw new TypeError(`Key ${at + 1} of the bundle document: its x5c is not base64`);
  }
  const certificate = parseCertificate(der);
  if (typeof certificate === "string") {
    throw new TypeError(`Key ${at + 1} of the bundle document: its certificate is ${certificate}`);
  }
  const foreign = certificate.uris.find((uri) =>
    uri.startsWith("spiffe://") && uri !== `spiffe://${domain}`
  );
  if (foreign !== undefined) {
    throw new TypeError(
      `Key ${at + 1} of the bundle document: its certificate is an authority of "${foreign}", ` +
        `not of "spiffe://${domain}"`,
    );
  }
  return [encodePem(der, "CERTIFICATE")];
}

/** The document of a bundle of ours. */
export function writeDocument(
  bundle: readonly string[],
  { sequence, refreshMs }: { readonly sequence: number; readonly refreshMs: number },
): string {
  const keys = bundle.flatMap((pem) => decodePem(pem, "CERTIFICATE") ?? []).map((der) => {
    const certificate = parseCertificate(der);
    if (typeof certificate === "string") throw new TypeError(`A root is ${certificate}`);
    const spki = Buffer.from(certificate.spki);
    const jwk = createPublicKey({ key: spki, format: "der", type: "spki" }).export({
      format: "jwk",
    });
    return { use: "x509-svid", ...jwk, x5c: [der.toBase64()] };
  });
  return JSON.stringify({
    keys,
    spiffe_sequence: sequence,
    spiffe_refresh_hint: Math.round(refreshMs / 1000),
  });
}
