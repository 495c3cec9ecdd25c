/**
 * Secret of the core group, type kubernetes.io/tls: a certificate for a Gateway's listeners.
 *
 *   as people write it            as everything here has it
 *   tls.key: the key ──seal──▶    tls.key: sha256:… of its public half
 *                        └──▶     the key, apart: for the vault (or memory) and the proxies that need it
 *
 * So no revision, diff, page or log can show a key: none of them ever has it.
 */
import { Buffer } from "node:buffer";
import { z } from "zod";
import { keyName, nameOfKey, readLeaf } from "../../proxy/tls/mod.ts";
import { metadata, problem, wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

export const KEY_NAME = /^sha256:[0-9a-f]{64}$/;
const CERTIFICATE = "tls.crt", KEY = "tls.key", AUTHORITY = "ca.crt";
/** kubectl writes the whole Secret, its key too, into this annotation. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

export const secret = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("Secret"),
  metadata,
  type: z.literal("kubernetes.io/tls", wanted('"kubernetes.io/tls", the only type used here')),
  immutable: z.boolean().optional(),
  /** Base64 of PEM. */
  data: z.strictObject({
    [CERTIFICATE]: z.string().max(LIMITS.chainChars * 2),
    /** The private key; shown as the name it is kept by. */
    [KEY]: z.string(),
    [AUTHORITY]: z.string().max(LIMITS.chainChars * 2).optional(),
  }),
}).check((ctx) => {
  const { data } = ctx.value;
  const chain = fromBase64(data[CERTIFICATE]);
  const leaf = chain === null ? "it is not base64" : readLeaf(chain);
  if (typeof leaf === "string") problem(ctx, ["data", CERTIFICATE], `cannot be used: ${leaf}`);
  else if (KEY_NAME.test(data[KEY]) && nameOfKey(leaf.spki) !== data[KEY]) {
    problem(ctx, ["data", KEY], `does not belong to the first certificate of "${CERTIFICATE}"`);
  }
});

export type Secret = z.infer<typeof secret>;

/** The PEM chain of a checked Secret. */
export function chainOf({ data }: Secret): string {
  return fromBase64(data[CERTIFICATE])!;
}

/** The name of its key. */
export function keyOf({ data }: Secret): string {
  return data[KEY];
}

export interface Sealed {
  /** The document without its key. */
  readonly value: Record<string, unknown>;
  /** Null: it had only the name of one. */
  readonly key: { readonly name: string; readonly pem: string } | null;
}

/** Takes the key out of a document of kind Secret, before anything else looks at it. */
export function seal(
  document: Record<string, unknown>,
): Sealed | { readonly path: string; readonly message: string } {
  const { stringData, ...value } = document;
  if (isMap(value.metadata) && isMap(value.metadata.annotations)) {
    const { [LAST_APPLIED]: _applied, ...annotations } = value.metadata.annotations;
    value.metadata = { ...value.metadata, annotations };
  }
  const data: Record<string, unknown> = isMap(value.data) ? { ...value.data } : {};
  if (isMap(stringData)) { // Kubernetes: stringData is written over data
    for (const [name, text] of Object.entries(stringData)) {
      data[name] = typeof text === "string" ? Buffer.from(text).toString("base64") : text;
    }
  }
  const sealed = (name: string): Record<string, unknown> => ({
    ...value,
    data: { ...data, [KEY]: name },
  });
  const given = data[KEY];
  if (typeof given !== "string") {
    const message = given === undefined ? "is missing" : "is no text";
    return { path: `data["${KEY}"]`, message: `${message}, wanted base64 of a PEM private key` };
  }
  if (KEY_NAME.test(given)) return { value: sealed(given), key: null };
  const pem = given.length > LIMITS.keyChars ? null : fromBase64(given);
  const name = pem === null ? null : keyName(pem);
  if (name !== null) return { value: sealed(name), key: { name, pem: pem! } };
  // Without a word of what it holds: this message is shown and logged.
  return {
    path: `data["${KEY}"]`,
    message: "cannot be read, wanted base64 of a PEM private key without a passphrase " +
      `(or plain PEM under stringData), at most ${LIMITS.keyChars} characters`,
  };
}

function fromBase64(text: string): string | null {
  if (!/^[A-Za-z0-9+/=\s]*$/.test(text)) return null;
  return Buffer.from(text, "base64").toString("latin1");
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
