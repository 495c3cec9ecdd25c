/** Publisher keys of this machine: one file each, readable by their owner only. */
import { join } from "node:path";
import { createSigningKey, type SigningKey } from "../../control/market/mod.ts";

/** Where keys are kept unless told otherwise. */
export const KEY_DIR = ".denim/publishers";

/** The key of `publisher` in `dir`; made when there is none. */
export async function openKey(
  publisher: string,
  dir: string = KEY_DIR,
): Promise<{ key: SigningKey; path: string; created: boolean }> {
  const path = join(dir, `${publisher}.key`);
  try {
    return { key: readKey(await Deno.readTextFile(path), path), path, created: false };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const key = await createSigningKey(publisher);
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  if (await appear(path, `${JSON.stringify(key, null, 2)}\n`)) return { key, path, created: true };
  // Another push on this machine was first; its key is the one.
  return { key: readKey(await Deno.readTextFile(path), path), path, created: false };
}

/** Puts a whole file where there is none; false when there is one already. */
async function appear(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  await Deno.writeTextFile(temporary, text, { mode: 0o600, createNew: true });
  try {
    await Deno.link(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    await Deno.remove(temporary);
  }
}

function readKey(text: string, path: string): SigningKey {
  let value: Partial<Record<keyof SigningKey, unknown>> = {};
  try {
    value = JSON.parse(text) ?? {};
  } catch {
    // Says so below: an empty object lacks everything.
  }
  for (const member of ["publisher", "id", "publicKey", "privateKey"] as const) {
    if (typeof value[member] === "string") continue;
    throw new Error(
      `The key file "${path}" has no ${member}; restore it, or remove it to sign with a new key`,
    );
  }
  return value as SigningKey;
}
