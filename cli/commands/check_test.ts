import assert from "node:assert/strict";
import { UsageError } from "../args.ts";
import { momentOf } from "./check.ts";

Deno.test("momentOf reads spans from now and dates, and nothing else", () => {
  assert.equal(momentOf("+30d", 1000), 1000 + 30 * 86_400_000);
  assert.equal(momentOf("+90m", 0), 5_400_000);
  assert.equal(momentOf("2030-01-31", 0), Date.UTC(2030, 0, 31));
  assert.equal(momentOf("2030-01-31T12:00:00Z", 0), Date.UTC(2030, 0, 31, 12));
  for (const word of ["30d", "+1y", "tomorrow", "2030-13-01", "2030-01-31T12:00", ""]) {
    assert.throws(() => momentOf(word, 0), UsageError, word);
  }
});
