/** The control plane's own certificate, kept for a start while whatever signs is away. */
import { MeshIdentity, type TrustBundle } from "../../proxy/tls/mod.ts";
import { writePrivate } from "../files.ts";
import type { KeyedSvid } from "./authority.ts";

export async function keepOwn(file: string, svid: KeyedSvid): Promise<void> {
  await writePrivate(file, JSON.stringify(svid));
}

/** The kept one, null unless it could be used right now. */
export async function readOwn(
  file: string,
  trust: TrustBundle,
  nowMs: number,
): Promise<KeyedSvid | null> {
  try {
    const svid = JSON.parse(await Deno.readTextFile(file)) as KeyedSvid;
    const { keyPem, chainPem } = svid;
    const material = { trustDomain: trust.domain, keyPem, chainPem, bundle: trust.pem };
    new MeshIdentity(material, { nowMs: () => nowMs });
    return svid;
  } catch {
    return null; // not there, damaged, expired, or under other roots: a new one it must be
  }
}
