/** Reads an X.509 certificate (RFC 5280) from its DER, strictly, without trusting any of it. */
import { createHash } from "node:crypto";
import { DerReader, explicit, implicit, latin1, TAG } from "./der.ts";

/** A certificate larger than this is refused unread. */
export const MAX_CERTIFICATE_BYTES = 16 * 1024;
/** Names of one subjectAltName (public authorities give up to 100), and extensions of one certificate. */
export const MAX_NAMES = 100;
export const MAX_EXTENSIONS = 32;
/** RFC 5280 4.1.2.2. */
const MAX_SERIAL_BYTES = 20;

/** Bits of keyUsage, as {@link DerReader.namedBits} numbers them. */
export const KEY_USAGE = {
  digitalSignature: 1 << 0,
  keyCertSign: 1 << 5,
  cRLSign: 1 << 6,
} as const;
export const EKU = { serverAuth: "1.3.6.1.5.5.7.3.1", clientAuth: "1.3.6.1.5.5.7.3.2" } as const;

const OID = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
  nameConstraints: "2.5.29.30",
} as const;

/** What a certificate says; nothing here has been verified. */
export interface Certificate {
  readonly der: Uint8Array;
  /** The signed part. */
  readonly tbs: Uint8Array;
  /** Upper-case hexadecimal without leading zero octets. */
  readonly serial: string;
  /** Names as raw DER, to be compared byte by byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Dotted object identifier. */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  readonly isCa: boolean;
  /** How many CA certificates may follow below this one; null: any. */
  readonly pathLength: number | null;
  /** Mask of {@link KEY_USAGE}; null when the extension is absent. */
  readonly keyUsage: number | null;
  readonly extKeyUsage: readonly string[] | null;
  /** URI and DNS entries of subjectAltName as one char per byte, exactly as they stand. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly subjectKeyId: Uint8Array | null;
  readonly authorityKeyId: Uint8Array | null;
  /** A constraint this reader does not enforce, so that nobody may rely on the certificate. */
  readonly unknownCritical: string | null;
}

/** The certificate, or what is malformed in it. */
export function parseCertificate(der: Uint8Array): Certificate | string {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    return `larger than ${MAX_CERTIFICATE_BYTES} bytes`;
  }
  const document = new DerReader(der);
  const outer = document.enter(TAG.sequence);
  document.finish();
  const tbs = outer.element(TAG.sequence);
  const outerAlgorithm = outer.element(TAG.sequence);
  const signature = outer.bitString();
  outer.finish();
  if (document.fault !== null) return document.fault;

  const whole = new DerReader(tbs);
  const body = whole.enter(TAG.sequence);
  const version = body.enter(explicit(0));
  if (version.smallInteger() !== 2) body.fail("not version 3");
  version.finish();
  const serial = readSerial(body);
  const innerAlgorithm = body.element(TAG.sequence);
  const issuer = body.element(TAG.sequence);
  const validity = body.enter(TAG.sequence);
  const notBeforeMs = validity.time();
  const notAfterMs = validity.time();
  validity.finish();
  const subject = body.element(TAG.sequence);
  const spki = body.element(TAG.sequence);
  const extensions = readExtensions(body);
  body.finish();
  checkName(new DerReader(issuer), whole);
  checkName(new DerReader(subject), whole);
  checkKey(new DerReader(spki), whole);
  const signatureAlgorithm = readAlgorithm(innerAlgorithm, whole);
  if (!sameBytes(innerAlgorithm, outerAlgorithm)) whole.fail("the two algorithms differ");
  if (whole.fault !== null) return whole.fault;
  return {
    der,
    tbs,
    serial,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    spki,
    signatureAlgorithm,
    signature,
    ...extensions,
  };
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function readSerial(body: DerReader): string {
  const octets = body.integer();
  if (body.fault !== null) return "";
  const digits = octets[0] === 0 ? octets.subarray(1) : octets;
  if (octets[0]! >= 0x80 || digits.length === 0 || digits.length > MAX_SERIAL_BYTES) {
    body.fail("bad serial number");
  }
  return digits.toHex().toUpperCase();
}

/** Names are compared as bytes and keys are read elsewhere; here only their form is looked at. */
function checkName(reader: DerReader, document: DerReader): void {
  const name = reader.enter(TAG.sequence);
  while (!name.atEnd) {
    const part = name.enter(TAG.set);
    do {
      const attribute = part.enter(TAG.sequence);
      attribute.oid();
      attribute.skip();
      attribute.finish();
    } while (!part.atEnd);
  }
  if (reader.fault !== null) document.fail(`a name: ${reader.fault}`);
}

function checkKey(reader: DerReader, document: DerReader): void {
  const key = reader.enter(TAG.sequence);
  const algorithm = key.enter(TAG.sequence);
  algorithm.oid();
  if (!algorithm.atEnd) algorithm.skip();
  algorithm.finish();
  key.bitString();
  key.finish();
  if (reader.fault !== null) document.fail(`the public key: ${reader.fault}`);
}

function readAlgorithm(der: Uint8Array, document: DerReader): string {
  const reader = new DerReader(der);
  const algorithm = reader.enter(TAG.sequence);
  const name = algorithm.oid();
  // RSA's parameters are NULL, those of ECDSA and EdDSA are absent (RFC 4055, 5758, 8410).
  if (algorithm.tag === TAG.null && algorithm.contents(TAG.null).length > 0) {
    algorithm.fail("bad algorithm parameters");
  }
  algorithm.finish();
  if (reader.fault !== null) document.fail(reader.fault);
  return name;
}

type Extensions = Pick<
  Certificate,
  | "isCa"
  | "pathLength"
  | "keyUsage"
  | "extKeyUsage"
  | "uris"
  | "dnsNames"
  | "subjectKeyId"
  | "authorityKeyId"
  | "unknownCritical"
>;

function readExtensions(body: DerReader): Extensions {
  const found = {
    isCa: false,
    pathLength: null as number | null,
    keyUsage: null as number | null,
    extKeyUsage: null as string[] | null,
    uris: [] as string[],
    dnsNames: [] as string[],
    subjectKeyId: null as Uint8Array | null,
    authorityKeyId: null as Uint8Array | null,
    unknownCritical: null as string | null,
  };
  const wrapper = body.enterIf(explicit(3));
  if (wrapper === null) return found;
  const list = wrapper.enter(TAG.sequence);
  wrapper.finish();
  const seen = new Set<string>();
  while (!list.atEnd) {
    const extension = list.enter(TAG.sequence);
    const id = extension.oid();
    let critical = false;
    if (extension.tag === TAG.boolean) {
      critical = extension.boolean();
      if (!critical) extension.fail("a default value is written out");
    }
    const holder = extension.enter(TAG.octetString);
    extension.finish();
    if (seen.has(id)) list.fail(`extension ${id} stands twice`);
    seen.add(id);
    if (seen.size > MAX_EXTENSIONS) list.fail("too many extensions");
    if (list.fault !== null) break;
    readExtension(id, critical, holder, found);
  }
  return found;
}

function readExtension(
  id: string,
  critical: boolean,
  value: DerReader,
  found: { -readonly [K in keyof Extensions]: Extensions[K] },
): void {
  switch (id) {
    case OID.basicConstraints: {
      const constraints = value.enter(TAG.sequence);
      if (constraints.tag === TAG.boolean) {
        found.isCa = constraints.boolean();
        if (!found.isCa) constraints.fail("a default value is written out");
      }
      if (constraints.tag === TAG.integer) {
        if (!found.isCa) constraints.fail("a path length without a CA");
        found.pathLength = constraints.smallInteger();
      }
      constraints.finish();
      break;
    }
    case OID.keyUsage:
      found.keyUsage = value.namedBits();
      break;
    case OID.extKeyUsage: {
      const purposes = value.enter(TAG.sequence);
      const list: string[] = [];
      while (!purposes.atEnd && list.length <= MAX_NAMES) list.push(purposes.oid());
      if (list.length === 0 || list.length > MAX_NAMES) purposes.fail("bad extended key usage");
      found.extKeyUsage = list;
      break;
    }
    case OID.subjectAltName: {
      const names = readNames(value);
      found.uris = names.uris;
      found.dnsNames = names.dnsNames;
      break;
    }
    case OID.subjectKeyIdentifier:
      found.subjectKeyId = value.contents(TAG.octetString);
      break;
    case OID.authorityKeyIdentifier: {
      // keyIdentifier [0]; issuer and serial, which few write, are not looked at.
      const key = value.enter(TAG.sequence);
      if (key.tag === implicit(0)) found.authorityKeyId = key.contents(implicit(0));
      return;
    }
    default:
      // Name constraints that are not enforced must not be passed over, whatever their flag says.
      if (critical || id === OID.nameConstraints) found.unknownCritical ??= id;
      return;
  }
  value.finish();
}

/** GeneralNames; each entry is kept apart, never joined into one text that could be split otherwise. */
function readNames(value: DerReader): { uris: string[]; dnsNames: string[] } {
  const uris: string[] = [], dnsNames: string[] = [];
  const names = value.enter(TAG.sequence);
  let count = 0;
  while (!names.atEnd) {
    if (++count > MAX_NAMES) names.fail("too many alternative names");
    const tag = names.tag;
    const bytes = names.contents(tag);
    if (tag === implicit(6)) uris.push(latin1(bytes));
    else if (tag === implicit(2)) dnsNames.push(latin1(bytes));
    else if ((tag & 0xc0) !== 0x80 || (tag & 0x1f) > 8) names.fail("bad alternative name");
  }
  if (count === 0) names.fail("no alternative name");
  return { uris, dnsNames };
}

/** `sha256:<hex>`: the name of the key that belongs to this SubjectPublicKeyInfo. */
export function nameOfKey(spki: Uint8Array): string {
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}

/** The name of the key that signed the first certificate of a chain, "" where the chain does not show it. */
export function issuerOf(chain: readonly Uint8Array[]): string {
  const above = chain[1] === undefined ? "" : parseCertificate(chain[1]);
  return typeof above === "string" ? "" : nameOfKey(above.spki);
}
