/** Base64url as JWS wants it: RFC 7515 2, RFC 4648 5; no padding, nothing foreign, one text for one value. */
import { Buffer } from "node:buffer";

/** The bytes of `text`; null when it is not exactly how they are written. */
export function decodeBase64Url(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64url");
  // Decoders skip what they do not know and drop stray bits at the end: only what comes out the same is right.
  return bytes.toString("base64url") === text ? bytes : null;
}
