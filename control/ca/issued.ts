/** Looks a certificate up in the authority's issuance log. */
import { nameOfKey, parseCertificate } from "../../proxy/tls/mod.ts";
import { readIfThere } from "../files.ts";
import type { Issuance } from "./issuance_log.ts";

/** The line about `serial` in `file` or the files put aside; null when no line is kept any more. */
export async function findIssuance(file: string, serial: string): Promise<Issuance | null> {
  const wanted = `"serial":"${serial}"`;
  for (let n = 0;; n++) {
    const text = await readIfThere(n === 0 ? file : `${file}.${n}`);
    if (text === null) {
      if (n === 0) continue; // it was put aside a moment ago
      return null;
    }
    const at = text.lastIndexOf(wanted);
    if (at < 0) continue;
    const start = text.lastIndexOf("\n", at) + 1;
    const end = text.indexOf("\n", at);
    // A last line without an end was being written when the process was killed: it was not handed out.
    if (end >= 0) return JSON.parse(text.slice(start, end)) as Issuance;
  }
}

/** Whether we issued this very certificate; one that somebody made with a stolen key of ours is not in the log. */
export async function isIssued(file: string, leafDer: Uint8Array): Promise<boolean> {
  const leaf = parseCertificate(leafDer);
  if (typeof leaf === "string") return false;
  const issuance = await findIssuance(file, leaf.serial);
  return issuance !== null && issuance.identity === leaf.uris[0] &&
    `sha256:${issuance.key}` === nameOfKey(leaf.spki);
}
