import assert from "node:assert/strict";
import { ACCOUNT } from "../component/bundle.ts";
import { hardenGlue } from "./glue.ts";

/** As the transpiler writes it, as far as anything is looked for in it. */
const GLUE = `"use components";
export function instantiate(getCoreModule, imports, instantiateCore = x) {
  const TEXT_DECODER_UTF8 = new TextDecoder();
  function rscTableCreateBorrow(table, rep, scopeId) {
      table.push(scopeId);
      table.push(rep);
  }
  function rscTableCreateOwn(table, rep) {
    table._createdReps.add(rep);
      table.push(0);
  }
  function trampoline40(from_ptr, len, to_ptr) {
    copy();
  }
  const trampoline1 = rscTableCreateOwn.bind(null, handleTable0);
  const trampoline24 = _symmetricSyncGuestCallEnter;
  let trampoline37 = _trampoline37.manuallyAsync ? a : b;
  transcode: {
    'utf8-to-utf8 (mem0 => mem1)': Object.assign(trampoline40),
  }
}
`;

Deno.test("glue is made to count strings, copies and handles", () => {
  const safe = hardenGlue(GLUE);
  assert.ok(safe.includes(`const TEXT_DECODER_UTF8 = imports["${ACCOUNT}"];`));
  assert.ok(safe.includes(`(from_ptr, len, to_ptr) { imports["${ACCOUNT}"].charge(len);`));
  assert.equal(safe.split(`imports["${ACCOUNT}"].handles(`).length, 4);
  assert.ok(!safe.includes("new TextDecoder()"));
});

Deno.test("glue with something unknown in it is refused", () => {
  const cases = [
    [GLUE.replace('"use components";', 'import fs from "node:fs";'), /imports nothing/],
    [GLUE.replace("getCoreModule, imports, ", ""), /imports nothing/],
    [GLUE.replace("new TextDecoder()", "makeDecoder()"), /cannot be counted/],
    [GLUE.replace("utf8-to-utf8", "utf16-to-utf8"), /as utf16-to-utf8/],
    [GLUE.replace("= _symmetricSyncGuestCallEnter", "= streamNew.bind(null)"), /uses streamNew/],
    [GLUE.replace("table._createdReps.add(rep);", "table.seen(rep);"), /handles/],
  ] as const;
  for (const [glue, reason] of cases) assert.throws(() => hardenGlue(glue), reason);
});
