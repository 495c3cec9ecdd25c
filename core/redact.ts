/** Takes secrets out of texts that people and log collectors read, by the forms that ours and JWTs have. */

const SECRETS = new RegExp(
  [
    // Our own tokens (docs/access.md). What follows the beginning stays unseen, also where it was cut off.
    "denim-(admin|api|join)-[A-Za-z0-9_-]{8,}",
    // A JWT: its header is JSON, which begins with {" in Base64.
    "eyJ[A-Za-z0-9_-]{6,}\\.[A-Za-z0-9_-]{6,}(?:\\.[A-Za-z0-9_-]*)?",
    "-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?",
  ].join("|"),
  "g",
);

/** The text without secrets; most texts have none and cost a few searches. */
export function redact(text: string): string {
  if (!text.includes("denim-") && !text.includes("eyJ") && !text.includes("PRIVATE KEY")) {
    return text;
  }
  return text.replace(
    SECRETS,
    (found, ours?: string) =>
      ours !== undefined
        ? `denim-${ours}-[redacted]`
        : found.startsWith("eyJ")
        ? "[redacted JWT]"
        : "[redacted private key]",
  );
}
