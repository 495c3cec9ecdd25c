/** Publisher keys and what they sign: Ed25519 over the exact text of a distribution statement. */
import { sha256 } from "../../wasm/filter.ts";
import { MARKET_LIMITS } from "./limits.ts";
import { MarketError, type Publisher, type Statement } from "./types.ts";

export const STATEMENT_TYPE = "denim.dev/filter-statement/v1";

const encoder = new TextEncoder();

/** A publisher's key pair as the CLI keeps it. */
export interface SigningKey {
  readonly publisher: string;
  readonly id: string;
  /** Base64 of the raw public key and of the PKCS#8 private key. */
  readonly publicKey: string;
  readonly privateKey: string;
}

export async function createSigningKey(publisher: string): Promise<SigningKey> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("Ed25519 gave no key pair");
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return {
    publisher,
    id: await keyId(raw),
    publicKey: raw.toBase64(),
    privateKey: pkcs8.toBase64(),
  };
}

/** The first 16 hex digits of the SHA-256 of the raw public key. */
export async function keyId(raw: Uint8Array): Promise<string> {
  return (await sha256(raw)).slice("sha256:".length, "sha256:".length + 16);
}

/** Signs that `name@version` is these bytes with this manifest. */
export async function signStatement(
  key: SigningKey,
  about: { name: string; version: string; bytes: Uint8Array; manifest: string },
): Promise<{ statement: string; signature: string }> {
  const statement: Statement = {
    type: STATEMENT_TYPE,
    name: about.name,
    version: about.version,
    moduleDigest: await sha256(about.bytes),
    manifestDigest: await sha256(encoder.encode(about.manifest)),
    key: key.id,
  };
  const text = JSON.stringify(statement);
  const privateKey = await crypto.subtle.importKey(
    "pkcs8",
    Uint8Array.fromBase64(key.privateKey),
    "Ed25519",
    false,
    ["sign"],
  );
  const signature = await crypto.subtle.sign("Ed25519", privateKey, encoder.encode(text));
  return { statement: text, signature: new Uint8Array(signature).toBase64() };
}

/** The statement, once a key known for its publisher has been shown to have signed it. */
export async function verifyStatement(
  text: string,
  signature: string,
  publisherOf: (name: string) => Publisher | undefined,
): Promise<Statement> {
  if (signature === "") {
    throw refused("market.unsigned", "signature", "The upload is not signed; push it with a key");
  }
  const statement = readStatement(text);
  const name = statement.name.split("/")[0]!;
  const publisher = publisherOf(name);
  if (publisher === undefined) {
    throw refused(
      "market.unknown_publisher",
      "statement.name",
      `No publisher "${name}" is known here; make its key known first`,
    );
  }
  const key = publisher.keys.find((one) => one.id === statement.key);
  if (key === undefined) {
    throw refused(
      "market.unknown_key",
      "statement.key",
      `Publisher "${name}" has no key ${statement.key}; known are ${
        publisher.keys.map((one) => one.id).join(", ")
      }`,
    );
  }
  if (!await verify(key.publicKey, text, signature)) {
    throw refused(
      "market.bad_signature",
      "signature",
      `The signature is not one of key ${key.id} over this statement`,
    );
  }
  return statement;
}

function readStatement(text: string): Statement {
  if (text.length > MARKET_LIMITS.statementBytes) {
    throw refused("market.bad_statement", "statement", "The statement is too long");
  }
  let value: Partial<Record<keyof Statement, unknown>>;
  try {
    value = JSON.parse(text) ?? {};
  } catch {
    throw refused("market.bad_statement", "statement", "The statement is not JSON");
  }
  const members = ["type", "name", "version", "moduleDigest", "manifestDigest", "key"] as const;
  for (const member of members) {
    if (typeof value[member] === "string") continue;
    throw refused(
      "market.bad_statement",
      `statement.${member}`,
      `The statement has no ${member}, wanted text`,
    );
  }
  if (value.type !== STATEMENT_TYPE) {
    throw refused(
      "market.bad_statement",
      "statement.type",
      `The statement's type is "${value.type}", wanted "${STATEMENT_TYPE}"`,
    );
  }
  return value as Statement;
}

async function verify(publicKey: string, text: string, signature: string): Promise<boolean> {
  try {
    const raw = Uint8Array.fromBase64(publicKey);
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    const bytes = Uint8Array.fromBase64(signature);
    return await crypto.subtle.verify("Ed25519", key, bytes, encoder.encode(text));
  } catch {
    return false; // not base64, not a key, not 64 bytes: not a signature
  }
}

function refused(code: string, path: string, message: string): MarketError {
  return new MarketError(code, 403, message, [{ path, message }]);
}
