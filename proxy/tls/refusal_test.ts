/** The reasons people find in logs are the ones the documentation explains. */
import assert from "node:assert/strict";
import { REFUSAL_REASONS, refuse } from "./refusal.ts";

Deno.test("REFUSAL_REASONS are explained in docs/identity.md, each once and no other", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/identity.md", import.meta.url));
  const rows = [...text.matchAll(/^\| `([a-z_]+)`\s+\|/gm)].map((match) => match[1]);
  assert.deepEqual(rows.toSorted(), REFUSAL_REASONS.toSorted());
});

Deno.test("refuse says what it was about after the sentence", () => {
  assert.match(refuse("revoked", "serial 00").detail, /revoked: serial 00$/);
  assert.ok(!refuse("revoked").detail.includes(":"));
});
