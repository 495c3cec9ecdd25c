/** The marketplace: admits filters once, keeps what it admitted, and answers what it has. */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { compareVersions } from "../snapshot/modules.ts";
import { admitVerified, type Verified, verifyPush } from "./admit.ts";
import { MarketFiles } from "./files.ts";
import { MARKET_LIMITS } from "./limits.ts";
import { keyId } from "./statement.ts";
import { type Listing, type MarketApi, MarketError, type Publisher, type Push } from "./types.ts";

export interface MarketDeps {
  readonly clock: Clock;
  readonly log: Log;
}

const PUBLISHER = /^[a-z0-9](?:[-a-z0-9]{0,62})$/;

export class Market implements MarketApi {
  readonly #files: MarketFiles;
  readonly #deps: MarketDeps;
  readonly #publishers = new Map<string, Publisher>();
  /** By name; newest version first. */
  readonly #listings = new Map<string, Listing[]>();
  readonly #digests = new Map<string, Listing>();
  #count = 0;
  #pending = 0;
  /** Admissions one after the other: each compiles and measures, and measuring two at once measures neither. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(files: MarketFiles, deps: MarketDeps) {
    this.#files = files;
    this.#deps = deps;
  }

  /** Reads what `dir` holds; the folder is made when it is first written to. */
  static async open(dir: string, deps: MarketDeps): Promise<Market> {
    const files = new MarketFiles(dir);
    const market = new Market(files, deps);
    for (const publisher of await files.readPublishers()) {
      market.#publishers.set(publisher.name, publisher);
    }
    for (const listing of await files.readListings()) {
      if (await files.hasObject(listing.digest)) market.#index(listing);
      else {
        const { name, version, digest } = listing;
        deps.log.error("market.lost", { name, version, digest, hint: "push this version again" });
      }
    }
    return market;
  }

  publishers(): readonly Publisher[] {
    return [...this.#publishers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async addPublisherKey(name: string, publicKey: string): Promise<Publisher> {
    if (!PUBLISHER.test(name)) {
      throw refuse(
        "market.bad_publisher",
        400,
        "name",
        `"${name}" is not a publisher's name: ` +
          "wanted up to 63 lower-case letters, digits and dashes",
      );
    }
    const id = await keyId(await checkedKey(publicKey));
    const known = this.#publishers.get(name);
    const keys = known?.keys ?? [];
    if (keys.some((key) => key.id === id)) return known!;
    if (known === undefined && this.#publishers.size >= MARKET_LIMITS.publishers) {
      throw refuse("market.full", 507, "name", `There are ${MARKET_LIMITS.publishers} publishers`);
    }
    if (keys.length >= MARKET_LIMITS.keysPerPublisher) {
      throw refuse("market.full", 507, "publicKey", `"${name}" has ${keys.length} keys already`);
    }
    const addedMs = this.#deps.clock.nowMs();
    const publisher = { name, keys: [...keys, { id, publicKey, addedMs }] };
    await this.#files.writePublisher(publisher);
    this.#publishers.set(name, publisher);
    this.#deps.log.info("market.publisher", { name, key: id });
    return publisher;
  }

  async admit(push: Push): Promise<Listing> {
    const verified = await verifyPush(push, (name) => this.#publishers.get(name));
    if (this.#pending >= MARKET_LIMITS.pending) {
      throw refuse("market.busy", 503, "module", "Too many uploads wait; try again in a moment");
    }
    this.#pending++;
    const work = this.#last.then(() => this.#admitNext(verified));
    this.#last = work.catch(() => {});
    try {
      return await work;
    } finally {
      this.#pending--;
    }
  }

  list(): readonly Listing[] {
    return [...this.#listings.values()].map((versions) => versions[0]!).sort(byName);
  }

  versions(name: string): readonly Listing[] {
    return this.#listings.get(name) ?? [];
  }

  get(name: string, version?: string): Listing | null {
    const versions = this.#listings.get(name) ?? [];
    if (version !== undefined) return versions.find((one) => one.version === version) ?? null;
    // A pre-release is not the newest for who did not ask for it.
    return versions.find((one) => !one.version.includes("-")) ?? versions[0] ?? null;
  }

  byDigest(digest: string): Listing | null {
    return this.#digests.get(digest) ?? null;
  }

  async module(digest: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#digests.get(digest)?.digest === digest
      ? await this.#files.readObject(digest)
      : null;
  }

  async original(
    digest: string,
  ): Promise<{ bytes: Uint8Array<ArrayBuffer>; mediaType: string } | null> {
    const listing = this.#digests.get(digest);
    if (listing === undefined) return null;
    const bytes = await this.#files.readObject(listing.originalDigest);
    if (bytes === null) return null;
    const mediaType = listing.language === "wat" ? "text/plain; charset=utf-8" : "application/wasm";
    return { bytes, mediaType };
  }

  async #admitNext(verified: Verified): Promise<Listing> {
    const { name, version } = verified.manifest;
    const known = this.#listings.get(name)?.find((one) => one.version === version);
    if (known !== undefined) return sameOrRefuse(known, verified);
    if (this.#count >= MARKET_LIMITS.listings) {
      throw refuse("market.full", 507, "module", `There are ${this.#count} versions already`);
    }
    const { listing, artefact } = await admitVerified(verified, this.#deps.clock);
    await this.#files.writeObject(listing.originalDigest, verified.push.bytes);
    await this.#files.writeObject(listing.digest, artefact);
    await this.#files.writeListing(listing);
    this.#index(listing);
    const { digest, bytes } = listing;
    this.#deps.log.info("market.admitted", { name, version, digest, bytes });
    return listing;
  }

  #index(listing: Listing): void {
    const versions = this.#listings.get(listing.name) ?? [];
    versions.push(listing);
    versions.sort((a, b) => compareVersions(b.version, a.version));
    this.#listings.set(listing.name, versions);
    // The same bytes may be pushed as several versions; the newest speaks for them.
    this.#digests.set(listing.digest, listing);
    this.#digests.set(listing.originalDigest, listing);
    this.#count++;
  }
}

/** A repeated push of the same thing is no error; a version never changes. */
function sameOrRefuse(known: Listing, { statement }: Verified): Listing {
  const same = known.originalDigest === statement.moduleDigest &&
    known.manifestDigest === statement.manifestDigest;
  if (same) return known;
  throw refuse(
    "market.version_exists",
    409,
    "manifest.version",
    `${known.name}@${known.version} exists with other content; versions never change, push a new one`,
  );
}

async function checkedKey(publicKey: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const raw = Uint8Array.fromBase64(publicKey);
    await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    return raw;
  } catch {
    throw refuse(
      "market.bad_key",
      400,
      "publicKey",
      "The key is not an Ed25519 public key: wanted base64 of its 32 bytes",
    );
  }
}

function byName(a: Listing, b: Listing): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function refuse(code: string, status: number, path: string, message: string): MarketError {
  return new MarketError(code, status, message, [{ path, message }]);
}
