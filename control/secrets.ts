/** Secrets as text: made, and compared. */
import { crypto, timingSafeEqual } from "@std/crypto";

const SECRET_BYTES = 32;

/** 256 random bits as 43 characters of base64url. */
export function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Whether two texts are the same, in time that depends on their lengths only. */
export function sameText(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  return timingSafeEqual(encoder.encode(a), encoder.encode(b));
}
