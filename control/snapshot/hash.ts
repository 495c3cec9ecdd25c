/** The name of a snapshot is the hash of its content: the same content has the same version everywhere. */
import { sha256Hex } from "../digest.ts";

/** Texts of parts that many snapshots share, so that each is written out once. */
export type KnownTexts = Map<object, string>;

/** JSON with members in code-unit order at every level, and without absent ones. */
export function canonicalJson(value: unknown, known?: KnownTexts): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const text = known?.get(value);
  if (text !== undefined) return text;
  if (Array.isArray(value)) return `[${value.map((one) => canonicalJson(one, known)).join(",")}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) {
      members.push(`${JSON.stringify(key)}:${canonicalJson(member, known)}`);
    }
  }
  return `{${members.join(",")}}`;
}

/** Hex SHA-256 of the canonical JSON. */
export function contentHash(value: unknown, known?: KnownTexts): string {
  return sha256Hex(canonicalJson(value, known));
}
