/**
 * The files of a rotation: copies of what was and of what comes, and the authority's own, which are laid
 * out from them. Everything can be done again after a crash in the middle of it.
 *
 *   CA/rotation.json                     where the rotation is; written before anything is done about it
 *   CA/rotation/old/{root,intermediate}.{pem,key}       as they were
 *   CA/rotation/new/{root,intermediate}.{pem,key}       as they will be
 */
import type { Clock } from "../../core/clock.ts";
import { nameOfKey, parseCertificate } from "../../proxy/tls/mod.ts";
import { ownerOf } from "./authority.ts";
import { createIntermediate, createRoot, type SigningPair } from "./certificates.ts";
import {
  AuthorityError,
  CERTIFICATE_MODE,
  KEY_MODE,
  readCertificates,
  readKey,
  writeCertificates,
  writeKey,
} from "./files.ts";
import { bundleOf, type Issuer, readIssuer, readRoots, tryOut } from "./material.ts";
import { type Layout, layoutOf, type RotationState } from "./rotation_steps.ts";
import type { X509Certificate } from "./x509.ts";
import { ensureFolder, readIfThere, writeWhole } from "../files.ts";

/** PEM texts that somebody brings instead of having them made. */
export interface Brought {
  /** The new root; null where only the intermediate is replaced. */
  readonly root: string | null;
  /** The certificate that signs leafs, then each one's issuer, without the root. */
  readonly chain: string;
  readonly key: string;
}

type Which = "old" | "new";

export interface RotationFilesOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  /** Called before every change of a file: tests stop there, as a crash would. */
  readonly beforeChange?: (what: string) => void;
}

export class RotationFiles {
  readonly #options: RotationFilesOptions;
  readonly #dir: string;

  constructor(options: RotationFilesOptions) {
    this.#options = options;
    this.#dir = options.dir;
  }

  /** Where a rotation is, also one that is over; null: there was none. */
  async read(): Promise<RotationState | null> {
    const file = `${this.#dir}/rotation.json`;
    try {
      const text = await readIfThere(file);
      return text === null ? null : JSON.parse(text) as RotationState;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new AuthorityError(`Cannot read "${file}": ${reason}. Restore it from a backup`);
    }
  }

  async write(state: RotationState): Promise<void> {
    this.#before("rotation.json");
    const text = JSON.stringify(state, null, 2);
    await writeWhole(`${this.#dir}/rotation.json`, `${text}\n`, CERTIFICATE_MODE);
  }

  /**
   * Puts aside what is there and what comes; the authority's files stay. Resolves with the keys that
   * sign leafs. Rejects with AuthorityError, and leaves nothing behind, when something is of no use.
   */
  async prepare(
    kind: RotationState["kind"],
    brought: Brought | null,
  ): Promise<Pick<RotationState, "oldIssuer" | "newIssuer" | "oldIssuerEndsMs">> {
    await this.clear();
    try {
      await this.#copyOld();
      if (brought !== null) await this.#bring(brought);
      else await this.#make(kind);
      const before = await this.#check("old");
      const after = await this.#check("new");
      await this.#tryTogether(before.roots, after);
      return {
        oldIssuer: keyOf(before.issuer),
        newIssuer: keyOf(after.issuer),
        oldIssuerEndsMs: before.issuer.pair.certificate.notAfter.getTime(),
      };
    } catch (error) {
      await this.clear();
      throw error;
    }
  }

  /** Makes the authority's files what they are to be in the state's step. */
  async layOut(state: RotationState): Promise<void> {
    const layout = layoutOf(state);
    if (layout === null) return;
    await this.#layOutIssuer(layout);
    const { roots } = layout;
    const old = await readCertificates(this.#at("old", "root.pem")) ?? [];
    const next = await readCertificates(this.#at("new", "root.pem")) ?? old;
    const wanted = roots === "both" ? union(old, next) : roots === "old" ? old : next;
    if (wanted.length === 0) return; // destroyed already, so it is as it should be
    this.#before("root.pem");
    await writeCertificates(`${this.#dir}/root.pem`, wanted);
  }

  /** Destroys the copies: of a rotation that went through those of the old keys are the last. */
  async clear(): Promise<void> {
    for (const which of ["old", "new"] as const) {
      for (const name of ["root.key", "intermediate.key"]) await this.#shred(this.#at(which, name));
    }
    this.#before("rotation/");
    await Deno.remove(`${this.#dir}/rotation`, { recursive: true }).catch(ignoreMissing);
  }

  async #layOutIssuer({ issuer }: Layout): Promise<void> {
    // The key first: until its certificate follows, a start says that they do not belong together, and
    // this is done again before any start looks.
    const key = await readKey(this.#at(issuer, "intermediate.key"));
    const chain = await readCertificates(this.#at(issuer, "intermediate.pem"));
    if (key === null || chain === null) return; // destroyed already
    this.#before("intermediate.key");
    await writeKey(`${this.#dir}/intermediate.key`, key);
    this.#before("intermediate.pem");
    await writeCertificates(`${this.#dir}/intermediate.pem`, chain);
    const rootKey = await readKey(this.#at(issuer, "root.key"));
    this.#before("root.key");
    if (rootKey !== null) return await writeKey(this.#rootKeyFile, rootKey);
    // No key came with this root: that of the other one, of which there is a copy, must not be taken for it.
    const other = await readIfThere(this.#at(issuer === "new" ? "old" : "new", "root.key"));
    if (other !== null && other === await readIfThere(this.#rootKeyFile)) {
      await this.#shred(this.#rootKeyFile);
    }
  }

  async #copyOld(): Promise<void> {
    await ensureFolder(`${this.#dir}/rotation/old`);
    await ensureFolder(`${this.#dir}/rotation/new`);
    for (const name of ["root.pem", "intermediate.pem", "intermediate.key"]) {
      await this.#copy(`${this.#dir}/${name}`, this.#at("old", name));
    }
    await this.#copy(this.#rootKeyFile, this.#at("old", "root.key"));
  }

  async #make(kind: RotationState["kind"]): Promise<void> {
    const { trustDomain, clock } = this.#options;
    const nowMs = clock.nowMs();
    let root: SigningPair;
    if (kind === "root") {
      root = await createRoot(trustDomain, nowMs);
      this.#before("new/root");
      await writeKey(this.#at("new", "root.key"), root.key);
      await writeCertificates(this.#at("new", "root.pem"), [root.certificate]);
    } else {
      root = await this.#keyedRoot();
      for (const name of ["root.pem", "root.key"]) {
        await this.#copy(this.#at("old", name), this.#at("new", name));
      }
    }
    const pair = await createIntermediate(trustDomain, root, nowMs);
    this.#before("new/intermediate");
    await writeKey(this.#at("new", "intermediate.key"), pair.key);
    await writeCertificates(this.#at("new", "intermediate.pem"), [pair.certificate]);
  }

  /** The root whose key is here. */
  async #keyedRoot(): Promise<SigningPair> {
    const key = await readKey(this.#rootKeyFile);
    const roots = await readCertificates(`${this.#dir}/root.pem`) ?? [];
    const certificate = key === null ? null : await ownerOf(key, roots);
    if (key !== null && certificate !== null) return { key, certificate };
    throw new AuthorityError(
      `Cannot make a new intermediate: the key of the root is not in "${this.#rootKeyFile}". Put it back ` +
        "for this rotation, or bring an intermediate made elsewhere: --to-chain FILE --to-key FILE",
    );
  }

  async #bring({ root, chain, key }: Brought): Promise<void> {
    this.#before("new/brought");
    if (root === null) {
      for (const name of ["root.pem", "root.key"]) {
        await this.#copy(this.#at("old", name), this.#at("new", name));
      }
    } else await writeWhole(this.#at("new", "root.pem"), root, CERTIFICATE_MODE);
    await writeWhole(this.#at("new", "intermediate.pem"), chain, CERTIFICATE_MODE);
    await writeWhole(this.#at("new", "intermediate.key"), key, KEY_MODE);
  }

  /** The same checks as at a start. */
  async #check(which: Which): Promise<{ roots: X509Certificate[]; issuer: Issuer }> {
    const { trustDomain, clock } = this.#options;
    const file = this.#at(which, "root.pem");
    const roots = await readRoots(file, trustDomain, clock.nowMs());
    const issuer = roots === null ? null : await readIssuer(
      {
        root: file,
        chain: this.#at(which, "intermediate.pem"),
        key: this.#at(which, "intermediate.key"),
      },
      roots,
      trustDomain,
    );
    if (roots !== null && issuer !== null) return { roots, issuer };
    throw new AuthorityError(
      which === "old"
        ? "Cannot rotate: this authority signs elsewhere, not with a key of its own. Rotate it there"
        : "Cannot rotate: root, chain and key are wanted",
    );
  }

  /** What proxies will believe between the two has to be a bundle, and the new one has to work in it. */
  async #tryTogether(
    old: readonly X509Certificate[],
    { roots, issuer }: { roots: X509Certificate[]; issuer: Issuer },
  ): Promise<void> {
    const { trustDomain, clock } = this.#options;
    await tryOut(issuer, bundleOf(union(old, roots), issuer, trustDomain), clock.nowMs());
    await tryOut(issuer, bundleOf(roots, issuer, trustDomain), clock.nowMs());
  }

  /** Overwritten before it goes; what the disk keeps of it beside that is not ours to say. */
  async #shred(file: string): Promise<void> {
    const gone = `${file}.gone`; // of half a key nobody shall try to make sense
    this.#before(file);
    await Deno.rename(file, gone).catch(ignoreMissing);
    const size = (await Deno.stat(gone).catch(ignoreMissing))?.size;
    if (size === undefined) return;
    {
      using handle = await Deno.open(gone, { write: true });
      await handle.write(new Uint8Array(size));
      await handle.sync();
    }
    this.#before(gone);
    await Deno.remove(gone);
  }

  async #copy(from: string, to: string): Promise<void> {
    const text = await readIfThere(from);
    if (text === null) return;
    this.#before(to);
    await writeWhole(to, text, to.endsWith(".key") ? KEY_MODE : CERTIFICATE_MODE);
  }

  #at(which: Which, name: string): string {
    return `${this.#dir}/rotation/${which}/${name}`;
  }

  get #rootKeyFile(): string {
    return `${this.#dir}/root.key`;
  }

  #before(what: string): void {
    this.#options.beforeChange?.(what);
  }
}

/** `sha256:<hex>` of the key that signs leafs. */
function keyOf({ pair }: Issuer): string {
  const read = parseCertificate(new Uint8Array(pair.certificate.rawData));
  if (typeof read === "string") throw new AuthorityError(`The issuing certificate is ${read}`);
  return nameOfKey(read.spki);
}

function union(
  a: readonly X509Certificate[],
  b: readonly X509Certificate[],
): X509Certificate[] {
  const text = (one: X509Certificate): string => new Uint8Array(one.rawData).toHex();
  const known = new Set(a.map(text));
  return [...a, ...b.filter((one) => !known.has(text(one)))];
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
