/**
 * TLS for the world: certificates by the server name a client asks for, no client certificates, and
 * HTTP/2 or HTTP/1.1 by ALPN. Nobody who comes in this way has an identity of the mesh, and a session
 * ticket from here is worth nothing there: mesh listeners refuse every resumed session (peer.ts).
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { createSecureContext, type SecureContext, type TlsOptions } from "node:tls";
import { type Certificate, nameOfKey, parseCertificate } from "./certificate.ts";
import { HANDSHAKE_TIMEOUT_MS } from "./context.ts";
import { decodePem } from "./pem.ts";

/** In order of preference. */
export const EDGE_ALPN: readonly string[] = ["h2", "http/1.1"];

/** One certificate with its key, and whom it is shown to. */
export interface EdgeCertificate {
  /** What people call it; for messages. */
  readonly name: string;
  /** Server names it stands for: `a.b`, `*.b` (any deeper name), `*` (everyone, also who names none). */
  readonly hostnames: readonly string[];
  /** PEM, leaf first. */
  readonly chainPem: string;
  readonly keyPem: string;
}

interface Shown {
  readonly leaf: Certificate;
  readonly context: SecureContext;
}

/** The certificates of one listener; a swap reaches the handshakes that begin after it. */
export class EdgeTls {
  #byHost: ReadonlyMap<string, readonly Shown[]> = new Map();
  /** Contexts in use, by chain and key: a swap that changes one certificate leaves the others alone. */
  #contexts: ReadonlyMap<string, Shown> = new Map();

  /** Throws an Error that names the certificate when one is of no use; the old ones stay. */
  constructor(certificates: readonly EdgeCertificate[]) {
    this.replace(certificates);
  }

  replace(certificates: readonly EdgeCertificate[]): void {
    const contexts = new Map<string, Shown>();
    const byHost = new Map<string, Shown[]>();
    for (const one of certificates) {
      const key = `${one.chainPem}\n${one.keyPem}`;
      const shown = contexts.get(key) ?? this.#contexts.get(key) ?? open(one);
      contexts.set(key, shown);
      for (const hostname of one.hostnames) {
        const list = byHost.get(hostname);
        if (list === undefined) byHost.set(hostname, [shown]);
        else list.push(shown);
      }
    }
    this.#contexts = contexts;
    this.#byHost = byHost;
  }

  /** The context for a client that asks for `servername` ("" when it asks for none); null: there is none. */
  select(servername: string): SecureContext | null {
    const name = servername.toLowerCase();
    for (const hostname of candidates(name)) {
      const found = this.#byHost.get(hostname);
      if (found === undefined) continue;
      // Of several for one host the one that bears the name; else the first, as they are listed.
      const best = found.find(({ leaf }) => bears(leaf, name)) ??
        found.find(({ leaf }) => bears(leaf, `*${name.slice(Math.max(0, name.indexOf(".")))}`));
      return (best ?? found[0]!).context;
    }
    return null;
  }

  /** Options for `tls.createServer`; they follow every later {@link replace}. */
  serverOptions(): TlsOptions {
    return {
      SNICallback: (servername, done) => {
        const context = this.select(servername);
        if (context !== null) return done(null, context);
        done(
          new Error(
            servername === ""
              ? "the client names no server and no listener is for everybody"
              : `no listener is for ${JSON.stringify(servername.slice(0, 255))}`,
          ),
        );
      },
      requestCert: false,
      minVersion: "TLSv1.2",
      ALPNProtocols: [...EDGE_ALPN],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    };
  }
}

/** `a.b.c`, `*.b.c`, `*.c`, `*`: from the most specific to the least. */
function* candidates(name: string): Iterable<string> {
  if (name !== "") yield name;
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    yield `*${name.slice(dot)}`;
  }
  yield "*";
}

function bears(leaf: Certificate, name: string): boolean {
  return leaf.dnsNames.some((one) => one.toLowerCase() === name);
}

function open({ name, chainPem, keyPem }: EdgeCertificate): Shown {
  const pair = readPair(chainPem, keyPem);
  if (typeof pair === "string") throw new Error(`Cannot use certificate "${name}": ${pair}`);
  return {
    leaf: pair.leaf,
    context: createSecureContext({ cert: chainPem, key: keyPem, minVersion: "TLSv1.2" }),
  };
}

/** A chain and the key of its leaf, or what is wrong with them, in words without the key. */
export function readPair(chainPem: string, keyPem: string): { leaf: Certificate } | string {
  const leaf = readLeaf(chainPem);
  if (typeof leaf === "string") return leaf;
  const name = keyName(keyPem);
  if (name === null) return "the private key cannot be read; PEM without a passphrase is wanted";
  if (name !== nameOfKey(leaf.spki)) {
    return "the private key does not belong to the first certificate of the chain";
  }
  return { leaf };
}

/** The first certificate of a PEM chain, whose others can be read too; or what is wrong. */
export function readLeaf(chainPem: string): Certificate | string {
  const chain = decodePem(chainPem, "CERTIFICATE");
  if (chain === null || chain.length === 0) {
    return "the chain cannot be read; PEM of type CERTIFICATE is wanted, the server's own first";
  }
  let leaf: Certificate | null = null;
  for (const der of chain) {
    const one = parseCertificate(der);
    if (typeof one === "string") return `a certificate of the chain cannot be read: ${one}`;
    leaf ??= one;
  }
  return leaf!;
}

/**
 * A private key by the name of its public half: `sha256:` and the hexadecimal digest of its
 * SubjectPublicKeyInfo. Null when it cannot be read.
 */
export function keyName(keyPem: string): string | null {
  try {
    const spki = createPublicKey(createPrivateKey(keyPem)).export({ format: "der", type: "spki" });
    return nameOfKey(new Uint8Array(Buffer.from(spki)));
  } catch {
    return null;
  }
}
