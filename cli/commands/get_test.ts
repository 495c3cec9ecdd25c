import assert from "node:assert/strict";
import { KINDS } from "../../control/schema/kinds.ts";
import { denim } from "../../tests/support/denim.ts";

Deno.test("denim get names every kind there is", async () => {
  const { out } = await denim(["get", "--help"]);
  for (const { plural } of KINDS) assert.match(out, new RegExp(`\\b${plural}\\b`));
  const { code, err } = await denim(["get"]);
  assert.equal(code, 2);
  assert.match(err, /KIND, such as proxies.* is wanted/);
});
