/** Lays roots and an issuing chain of somebody else's into an authority's folder, once they have been checked. */
import { ensureFolder } from "../files.ts";
import { AuthorityError, readCertificates, writeCertificates, writeKey } from "./files.ts";
import { bundleOf, readIssuer, readRoots, tryOut } from "./material.ts";

export interface ImportRequest {
  /** The authority's folder. */
  readonly dir: string;
  readonly trustDomain: string;
  /** File with one root or several; null: the ones that are there stay. */
  readonly root: string | null;
  /** File with the certificate that signs leafs, then each one's issuer, without the root, and its key's. */
  readonly issuer: { readonly chain: string; readonly key: string } | null;
  readonly nowMs: number;
}

/** Rejects with AuthorityError and writes nothing when one of the files is of no use. */
export async function importAuthority(request: ImportRequest): Promise<void> {
  const { dir, trustDomain, nowMs } = request;
  const own = { root: `${dir}/root.pem`, chain: `${dir}/intermediate.pem` };
  if (request.root !== null && await readCertificates(own.root) !== null) {
    throw new AuthorityError(
      `Cannot import roots: "${own.root}" is there, and proxies that believe it would be locked out. ` +
        "Leave --root out to replace the intermediate only, or add a root by rotation",
    );
  }
  const rootFile = request.root ?? own.root;
  const roots = await readRoots(rootFile, trustDomain, nowMs);
  if (roots === null) throw missing(rootFile, "--root");
  if (request.issuer === null) {
    bundleOf(roots, null, trustDomain);
    await ensureFolder(dir);
    return await writeCertificates(own.root, roots);
  }
  const { chain, key } = request.issuer;
  const issuer = await readIssuer({ chain, key, root: rootFile }, roots, trustDomain);
  if (issuer === null) {
    throw await readCertificates(chain) === null
      ? missing(chain, "--chain")
      : missing(key, "--key");
  }
  await tryOut(issuer, bundleOf(roots, issuer, trustDomain), nowMs);
  await ensureFolder(dir);
  await writeKey(`${dir}/intermediate.key`, issuer.pair.key);
  await writeCertificates(own.chain, [issuer.pair.certificate, ...issuer.above]);
  // Last: a crash before it leaves a folder that says what is missing.
  await writeCertificates(own.root, roots);
}

function missing(file: string, flag: string): AuthorityError {
  return new AuthorityError(`There is no file "${file}". Name another one with ${flag}`);
}
