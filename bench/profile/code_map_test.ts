/** Names of compiled code: reused memory bears its last name. */
import assert from "node:assert/strict";
import { nameOf, readCodeMap } from "./code_map.ts";

const ROOT = new URL("../../", import.meta.url).href;

Deno.test("readCodeMap names functions by file and line, inside their code only", () => {
  const map = readCodeMap(`1000 20 JS:*'#send ${ROOT}proxy/connection.ts:118:8
2000 10 JS:+ ${ROOT}proxy/connection.ts:49:23
3000 10 Builtin:LoadIC
`);
  assert.equal(nameOf(map, 0x1000), "#send proxy/connection.ts:118");
  assert.equal(nameOf(map, 0x101f), "#send proxy/connection.ts:118");
  assert.equal(nameOf(map, 0x1020), null);
  assert.equal(nameOf(map, 0x2005), "proxy/connection.ts:49");
  assert.equal(nameOf(map, 0x3000), null);
  assert.equal(nameOf(map, 0xfff), null);
});

Deno.test("readCodeMap lets later code replace what it overlaps", () => {
  const map = readCodeMap(`1000 40 JS:~old a.ts:1:1
1020 40 JS:*new b.ts:2:1
2000 40 JS:~outer a.ts:3:1
2010 8 JS:~inner a.ts:4:1
`);
  assert.equal(nameOf(map, 0x1030), "new b.ts:2");
  assert.equal(nameOf(map, 0x1000), null);
  assert.equal(nameOf(map, 0x2012), "inner a.ts:4");
});
