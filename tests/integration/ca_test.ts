/** `denim ca` against a control plane. */
import assert from "node:assert/strict";
import { ControlProcess } from "../support/control.ts";

Deno.test("denim ca show names root and intermediate, and no key", async () => {
  await using control = await ControlProcess.start("--trust-domain", "ca.test");
  const shown = await control.denim("ca", "show");
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /Trust domain +ca\.test/);
  assert.match(shown.out, /root +CN=Denim root, O=ca\.test +[0-9A-F]{32} /);
  assert.match(shown.out, /intermediate +CN=Denim intermediate/);
  const json = await control.denim("ca", "show", "-o", "json");
  const view = JSON.parse(json.out);
  assert.equal(view.signer, "local");
  assert.equal(view.roots.length, 1);
  assert.ok(!json.out.includes("PRIVATE"));
});

Deno.test("denim ca lists its verbs, and says when there is no such verb", async () => {
  await using control = await ControlProcess.start();
  assert.match((await control.denim("ca")).out, /denim ca show +roots/);
  const wrong = await control.denim("ca", "shwo");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /denim ca has no verb "shwo"/);
});
