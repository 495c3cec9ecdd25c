import assert from "node:assert/strict";
import { base64 } from "./fakes.ts";
import { parseObject } from "./json.ts";
import { parseJws } from "./jws.ts";
import { JWT_LIMITS } from "./limits.ts";

const HEADER = '{"alg":"RS256"}';
const GOOD = `${base64(HEADER)}.${base64("{}")}.AAAA`;

Deno.test("A JWS is read into what is signed and by what", () => {
  const jws = parseJws(`${base64('{"alg":"ES256","kid":"a","typ":"JWT"}')}.${base64("{}")}.AAAA`)!;
  assert.equal(jws.alg, "ES256");
  assert.equal(jws.kid, "a");
  assert.equal(jws.payload.toString(), "{}");
  assert.equal(jws.signature.length, 3);
});

const REFUSED: [what: string, token: string][] = [
  ["nothing", ""],
  ["two parts", GOOD.slice(0, GOOD.lastIndexOf("."))],
  ["four parts", `${GOOD}.AAAA`],
  ["five parts, as of a JWE", `${GOOD}.AAAA.AAAA`],
  ["an empty header", `.${base64("{}")}.AAAA`],
  ["padding", `${base64(HEADER)}.${base64("{}")}.AAA=`],
  ["base64 of the other alphabet", `${base64(HEADER)}.${base64("{}")}.AA+/`],
  ["stray bits at the end", `${base64(HEADER)}.${base64("{}")}.AAB`],
  ["white space", `${base64(HEADER)}.${base64("{}")}.AA AA`],
  ["a line break", `${GOOD}\n`],
  ["a header that is no JSON", `${base64("{alg:1}")}.${base64("{}")}.AAAA`],
  ["a header that is a list", `${base64("[]")}.${base64("{}")}.AAAA`],
  ["a header without alg", `${base64("{}")}.${base64("{}")}.AAAA`],
  ["an alg that is no text", `${base64('{"alg":["RS256"]}')}.${base64("{}")}.AAAA`],
  ["a kid that is no text", `${base64('{"alg":"RS256","kid":1}')}.${base64("{}")}.AAAA`],
  ["alg twice", `${base64('{"alg":"RS256","alg":"none"}')}.${base64("{}")}.AAAA`],
  [
    "alg twice, once escaped",
    `${base64('{"alg":"RS256","\\u0061lg":"none"}')}.${base64("{}")}.AAAA`,
  ],
  ["crit", `${base64('{"alg":"RS256","crit":["exp"],"exp":1}')}.${base64("{}")}.AAAA`],
  ["an empty crit", `${base64('{"alg":"RS256","crit":[]}')}.${base64("{}")}.AAAA`],
  ["an unencoded payload", `${base64('{"alg":"RS256","b64":false}')}.${base64("{}")}.AAAA`],
  ["JSON serialization", '{"payload":"e30","protected":"e30","signature":"AAAA"}'],
];

for (const [what, token] of REFUSED) {
  Deno.test(`No JWS is read from ${what}`, () => assert.equal(parseJws(token), null));
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("parseObject refuses a member twice at any depth, and takes equal names elsewhere", () => {
  const read = (text: string) => parseObject(bytes(text));
  assert.equal(read('{"a":{"b":1,"b":2}}'), null);
  assert.equal(read('{"a":[{"b":1,"c":[],"b":2}]}'), null);
  assert.equal(read('{"":1,"":2}'), null);
  assert.equal(read('{"__proto__":1,"__proto__":2}'), null);
  assert.ok(read('{"a":{"a":1},"b":[{"a":1},{"a":1}],"c":"a"}'));
  assert.ok(read('{"a":"b","b":"a"}'));
  assert.ok(read('{ "a" : "\\"a\\":{" , "b" : ["a","a"] }'));
});

Deno.test("parseObject refuses bad UTF-8, a byte order mark, and what is no object", () => {
  assert.equal(parseObject(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), null);
  assert.equal(parseObject(bytes("\ufeff{}")), null);
  for (const text of ["", "1", "null", "[]", '"a"', "{}{}", "{'a':1}", '{"a":1,}']) {
    assert.equal(parseObject(bytes(text)), null, text);
  }
});

Deno.test("parseObject refuses what is nested too deeply", () => {
  const nested = (n: number) => bytes(`${'{"a":'.repeat(n - 1)}{}${"}".repeat(n - 1)}`);
  assert.ok(parseObject(nested(JWT_LIMITS.depth)));
  assert.equal(parseObject(nested(JWT_LIMITS.depth + 1)), null);
  const list = bytes(`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`);
  assert.equal(parseObject(list), null);
});
