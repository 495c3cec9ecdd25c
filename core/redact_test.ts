/** Secrets in texts for people: none of ours, no JWT, no private key. */
import assert from "node:assert/strict";
import { redact } from "./redact.ts";

const SECRET = "A1b2_-".repeat(8).slice(0, 43);
const JWT = `eyJhbGciOiJSUzI1NiJ9.${"eyJzdWIiOiJhbm4ifQ"}.${SECRET}`;

Deno.test("redact takes out our tokens, JWTs and private keys, and says what was there", () => {
  assert.equal(redact(`a denim-join-${SECRET} b`), "a denim-join-[redacted] b");
  assert.equal(redact(`denim-admin-${SECRET}`), "denim-admin-[redacted]");
  assert.equal(redact(`x=denim-api-${SECRET}AAAAA&y`), "x=denim-api-[redacted]&y");
  assert.equal(redact(`/a?token=${JWT}&b=1`), "/a?token=[redacted JWT]&b=1");
  const pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----";
  assert.equal(redact(`key: ${pem}\n`), "key: [redacted private key]\n");
  assert.equal(redact(JSON.stringify({ pem })), '{"pem":"[redacted private key]"}');
});

Deno.test("redact takes out what was cut off in the middle as well", () => {
  assert.equal(redact(`denim-admin-${SECRET.slice(0, 12)}`), "denim-admin-[redacted]");
  assert.equal(redact(JWT.slice(0, JWT.lastIndexOf("."))), "[redacted JWT]");
  assert.equal(redact("-----BEGIN PRIVATE KEY-----\\nMHcC"), "[redacted private key]");
});

Deno.test("redact leaves other texts as they are", () => {
  for (
    const text of ["", "denim-system/control-plane", "eyJ", "denim-join-token", "a PRIVATE KEY"]
  ) {
    assert.equal(redact(text), text);
  }
});
