/** Looks a certificate up in the authority's issuance log. */
import type { Issuance } from "./issuance_log.ts";

/** The line about `serial` in `file` or the files put aside; null when no line is kept any more. */
export async function findIssuance(file: string, serial: string): Promise<Issuance | null> {
  const wanted = `"serial":"${serial}"`;
  for (let n = 0;; n++) {
    let text: string;
    try {
      text = await Deno.readTextFile(n === 0 ? file : `${file}.${n}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
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
