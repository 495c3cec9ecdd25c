/** A test trust domain that signs anything asked of it, right or wrong, byte for byte. */
import { Buffer } from "node:buffer";
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { EKU } from "../../proxy/tls/certificate.ts";
import { DerReader, explicit, implicit, TAG } from "../../proxy/tls/der.ts";
import {
  bitString,
  bytesOf,
  element,
  octetString,
  oid,
  sequence,
  unsigned,
} from "../../proxy/tls/der_writer.ts";
import { decodePem, encodePem, type IdentityMaterial } from "../../proxy/tls/mod.ts";

const HOUR_MS = 60 * 60_000;
const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const ECDSA_WITH_SHA1 = sequence(oid("1.2.840.10045.4.1"));
const RSA_WITH_SHA256 = sequence(
  oid("1.2.840.113549.1.1.11"),
  element(TAG.null, new Uint8Array(0)),
);

/** What a test certificate says; everything has the value a good leaf has. */
export interface LeafOptions {
  /** URI entries, as one char per byte: any byte may stand in them. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** null: no such extension. */
  readonly extKeyUsage?: readonly string[] | null;
  /** Octets of the named bit list (unused bits first); null: no such extension. */
  readonly keyUsage?: readonly number[] | null;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  /** Extensions to stand after the others, whole. */
  readonly extra?: readonly Uint8Array[];
  readonly serial?: Uint8Array;
  /** What the signature is made over, where that is not SHA-256. */
  readonly digest?: "sha1";
  /** Another key's certificate: proof of possession must fail. */
  readonly keys?: Keys;
}

export interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface TestSvid {
  readonly keyPem: string;
  readonly keys: Keys;
  readonly der: Uint8Array;
  /** The leaf alone. */
  readonly leafPem: string;
  /** Leaf, then intermediate. */
  readonly chainPem: string;
  readonly chainDer: readonly Uint8Array[];
}

export interface Signer {
  readonly name: Uint8Array;
  readonly keys: Keys;
  readonly der: Uint8Array;
}

/** keyUsage as unused bits and octets. */
export const DIGITAL_SIGNATURE = [7, 0x80] as const;
export const CERT_SIGN = [1, 0x06] as const;

export class TestDomain {
  readonly domain: string;
  readonly nowMs: number;
  #authorities = 0;
  readonly #root: Signer;
  readonly #intermediate: Signer;

  constructor(domain = "mesh.test", options: { nowMs?: number; name?: string } = {}) {
    this.domain = domain;
    this.nowMs = options.nowMs ?? Date.now();
    const rootName = commonName(`${options.name ?? "Test"} root of ${domain}`);
    const rootKeys = newKeys();
    const rootDer = this.#certificate(rootName, rootKeys, { name: rootName, keys: rootKeys }, {
      ...CA,
      uris: [`spiffe://${domain}`],
      pathLength: 1,
    });
    this.#root = { name: rootName, keys: rootKeys, der: rootDer };
    this.#intermediate = this.authority(this.#root);
  }

  /** Another CA below `parent` (default: the root). */
  authority(parent: Signer = this.#root, options: LeafOptions = {}): Signer {
    const name = commonName(`Test intermediate ${++this.#authorities} of ${this.domain}`);
    const { keys = newKeys() } = options;
    return { name, keys, der: this.#certificate(name, keys, parent, { ...CA, ...options }) };
  }

  /** Authorities that all bear one name and seem to have signed each other: a maze for who looks for a path. */
  maze(count: number): Signer[] {
    const name = commonName("Maze");
    const keys = Array.from({ length: count }, () => newKeys());
    return keys.map((own, at) => {
      const signer = { name, keys: keys[(at + 1) % count]! };
      return { name, keys: own, der: this.#certificate(name, own, signer, CA) };
    });
  }

  /** The same authority, name and key, with a new certificate. */
  renew(signer: Signer, options: LeafOptions = {}): Signer {
    const der = this.#certificate(signer.name, signer.keys, this.#root, { ...CA, ...options });
    return { ...signer, der };
  }

  get root(): Signer {
    return this.#root;
  }
  get rootPem(): string {
    return encodePem(this.#root.der, "CERTIFICATE");
  }
  get intermediatePem(): string {
    return encodePem(this.#intermediate.der, "CERTIFICATE");
  }
  get intermediateDer(): Uint8Array {
    return this.#intermediate.der;
  }

  /** The id of `service` in this domain. */
  id(service: string): string {
    return `spiffe://${this.domain}/ns/default/sa/${service}`;
  }

  /** A leaf: a good one unless `options` say otherwise. */
  issue(service: string, options: LeafOptions = {}, signer: Signer = this.#intermediate): TestSvid {
    const keys = options.keys ?? newKeys();
    const der = this.#certificate(sequence(), keys, signer, {
      uris: [this.id(service)],
      ...options,
    });
    const leafPem = encodePem(der, "CERTIFICATE");
    const above = signer === this.#root ? [] : [signer.der];
    return {
      keys,
      keyPem: String(keys.privateKey.export({ format: "pem", type: "pkcs8" })),
      der,
      leafPem,
      chainPem: leafPem + above.map((one) => encodePem(one, "CERTIFICATE")).join(""),
      chainDer: [der, ...above],
    };
  }

  /** A leaf for the key in a signing request, as a control plane would issue it. PEM, with chain. */
  issueForRequest(identity: string, csrPem: string, options: LeafOptions = {}): string {
    const [der] = decodePem(csrPem, "CERTIFICATE REQUEST") ?? [];
    if (der === undefined) throw new Error("not a signing request");
    const info = new DerReader(der).enter(TAG.sequence).enter(TAG.sequence);
    info.integer();
    info.element(TAG.sequence);
    const spki = Buffer.from(info.element(TAG.sequence));
    const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
    const leaf = this.#certificate(sequence(), { publicKey }, this.#intermediate, {
      uris: [identity],
      ...options,
    });
    return encodePem(leaf, "CERTIFICATE") + this.intermediatePem;
  }

  /** What MeshIdentity is made of, for `service` of this domain. */
  material(service: string, options: LeafOptions = {}): IdentityMaterial {
    const { keyPem, chainPem } = this.issue(service, options);
    return { trustDomain: this.domain, keyPem, chainPem, bundle: [this.rootPem] };
  }

  #certificate(
    subject: Uint8Array,
    keys: Pick<Keys, "publicKey">,
    signer: { readonly name: Uint8Array; readonly keys: Keys },
    options: LeafOptions,
  ): Uint8Array {
    const spki = new Uint8Array(keys.publicKey.export({ format: "der", type: "spki" }));
    const { digest = "sha256" } = options;
    const algorithm = signer.keys.privateKey.asymmetricKeyType === "rsa"
      ? RSA_WITH_SHA256
      : digest === "sha1"
      ? ECDSA_WITH_SHA1
      : ECDSA_WITH_SHA256;
    const tbs = sequence(
      element(explicit(0), unsigned(Uint8Array.of(2))),
      unsigned(options.serial ?? Uint8Array.of(0x7f, ...randomBytes(15))),
      algorithm,
      signer.name,
      sequence(
        time(options.notBeforeMs ?? this.nowMs - HOUR_MS),
        time(options.notAfterMs ?? this.nowMs + HOUR_MS),
      ),
      subject,
      spki,
      element(explicit(3), sequence(...extensions(options))),
    );
    const signature = new Uint8Array(sign(digest, tbs, signer.keys.privateKey));
    return sequence(tbs, algorithm, bitString(signature));
  }
}

const CA: LeafOptions = { isCa: true, keyUsage: CERT_SIGN, extKeyUsage: null, uris: [] };

export type KeyKind = "P-224" | "P-256" | "P-384" | "P-521" | "RSA-1024" | "RSA-2048" | "Ed25519";

export function newKeys(kind: KeyKind = "P-256"): Keys {
  if (kind === "Ed25519") return generateKeyPairSync("ed25519");
  if (!kind.startsWith("RSA-")) return generateKeyPairSync("ec", { namedCurve: kind });
  return generateKeyPairSync("rsa", { modulusLength: Number(kind.slice(4)) });
}

/**
 * A key file that pairs `victim`'s public key with somebody else's private one. OpenSSL believes the
 * public half it finds in the file, so this is how a thief shows a certificate without its key.
 */
export function stolenKeyPem(victim: Keys): string {
  const thief = newKeys().privateKey.export({ format: "jwk" });
  const point = victim.publicKey.export({ format: "jwk" });
  const octets = (text: string | undefined): Uint8Array =>
    new Uint8Array(Buffer.from(text ?? "", "base64url"));
  const der = sequence(
    unsigned(Uint8Array.of(1)),
    octetString(octets(thief.d)),
    element(explicit(0), oid("1.2.840.10045.3.1.7")),
    element(
      explicit(1),
      bitString(Uint8Array.of(4, ...octets(point.x), ...octets(point.y))),
    ),
  );
  return encodePem(der, "EC PRIVATE KEY");
}

/** One extension, whole. */
export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  const flag = critical ? [element(TAG.boolean, Uint8Array.of(0xff))] : [];
  return sequence(oid(id), ...flag, octetString(value));
}

export function namedBits(octets: readonly number[]): Uint8Array {
  return element(TAG.bitString, Uint8Array.from(octets));
}

function extensions(options: LeafOptions): Uint8Array[] {
  const { isCa = false, pathLength, uris = [], dnsNames = [] } = options;
  const { keyUsage = DIGITAL_SIGNATURE } = options;
  const { extKeyUsage = [EKU.clientAuth, EKU.serverAuth] } = options;
  const constraints = isCa ? [element(TAG.boolean, Uint8Array.of(0xff))] : [];
  if (pathLength !== undefined) constraints.push(unsigned(Uint8Array.of(pathLength)));
  const list = [extension("2.5.29.19", sequence(...constraints), true)];
  if (keyUsage !== null) list.push(extension("2.5.29.15", namedBits(keyUsage), true));
  if (extKeyUsage !== null) {
    list.push(extension("2.5.29.37", sequence(...extKeyUsage.map((one) => oid(one)))));
  }
  const names = [
    ...dnsNames.map((name) => element(implicit(2), bytesOf(name))),
    ...uris.map((uri) => element(implicit(6), bytesOf(uri))),
  ];
  if (names.length > 0) list.push(extension("2.5.29.17", sequence(...names), true));
  return [...list, ...options.extra ?? []];
}

function commonName(text: string): Uint8Array {
  const value = element(TAG.utf8String, new TextEncoder().encode(text));
  return sequence(element(TAG.set, sequence(oid("2.5.4.3"), value)));
}

function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  const year = new Date(ms).getUTCFullYear();
  return year >= 1950 && year < 2050
    ? element(TAG.utcTime, bytesOf(digits.slice(2)))
    : element(TAG.generalizedTime, bytesOf(digits));
}
