/** The marketplace on disk: whole files that appear at once, artefacts under their digest. */
import { dirname, join } from "node:path";
import { sha256 } from "../../wasm/filter.ts";
import type { Listing, Publisher } from "./types.ts";

/**
 *   publishers/<name>.json
 *   listings/<publisher>/<name>/<version>.json   written last: what it names is there
 *   objects/<hex>                                admitted artefacts and originals
 */
export class MarketFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async readPublishers(): Promise<Publisher[]> {
    return await readAll<Publisher>(join(this.#dir, "publishers"), 1);
  }

  async readListings(): Promise<Listing[]> {
    return await readAll<Listing>(join(this.#dir, "listings"), 3);
  }

  async writePublisher(publisher: Publisher): Promise<void> {
    await this.#write(["publishers", `${publisher.name}.json`], text(publisher));
  }

  async writeListing(listing: Listing): Promise<void> {
    const path = ["listings", ...listing.name.split("/"), `${listing.version}.json`];
    await this.#write(path, text(listing));
  }

  async writeObject(digest: string, bytes: Uint8Array): Promise<void> {
    await this.#write(["objects", hexOf(digest)], bytes);
  }

  /** Null when there is none or its bytes are not what the digest says. */
  async readObject(digest: string): Promise<Uint8Array<ArrayBuffer> | null> {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = await Deno.readFile(join(this.#dir, "objects", hexOf(digest)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
    return await sha256(bytes) === digest ? bytes : null;
  }

  async hasObject(digest: string): Promise<boolean> {
    try {
      return (await Deno.stat(join(this.#dir, "objects", hexOf(digest)))).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  async #write(path: readonly string[], bytes: Uint8Array): Promise<void> {
    const target = join(this.#dir, ...path);
    await Deno.mkdir(dirname(target), { recursive: true });
    const temporary = `${target}.${crypto.randomUUID()}.tmp`;
    const file = await Deno.open(temporary, { write: true, createNew: true });
    try {
      const writer = file.writable.getWriter();
      await writer.write(bytes);
      await file.sync();
      await writer.close();
      await Deno.rename(temporary, target);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
  }
}

function text(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

function hexOf(digest: string): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`"${digest}" is no digest`);
  return digest.slice("sha256:".length);
}

/** Every JSON file `depth` folders down; a damaged one is an error that names it. */
async function readAll<T>(dir: string, depth: number): Promise<T[]> {
  const found: T[] = [];
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(dir));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory && depth > 1) found.push(...await readAll<T>(path, depth - 1));
    if (!entry.isFile || depth > 1 || !entry.name.endsWith(".json")) continue;
    try {
      found.push(JSON.parse(await Deno.readTextFile(path)) as T);
    } catch (error) {
      throw new Error(`${path} is damaged (${(error as Error).message}); remove it and push again`);
    }
  }
  return found;
}
