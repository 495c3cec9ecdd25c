/** HeadParser and the small parsers around it: offsets in pieces, cost in pieces, the grammar's edges. */
import assert from "node:assert/strict";
import { parseAuthority, sameAuthority } from "../../core/authority.ts";
import { codingFault, parseLength } from "./framing.ts";
import { latin1 } from "./latin1.ts";
import { H1_LIMITS } from "./limits.ts";
import { methodAt, nameId, NAMES, otherName } from "./names.ts";
import { DONE, HeadParser, MARKS, MORE, REQUEST } from "./parser.ts";
import { bytesOf } from "./rig.ts";

const HEAD = "GET /a?b HTTP/1.1\r\nHost: a\r\nX-Own: \t 1 2 \r\n\r\n";

function fieldsOf(parser: HeadParser): string[] {
  const { bytes, marks, count } = parser;
  const found: string[] = [];
  for (let mark = 0; mark < count * MARKS; mark += MARKS) {
    found.push(latin1(bytes, marks[mark + 1]!, marks[mark + 2]!));
    found.push(latin1(bytes, marks[mark + 3]!, marks[mark + 4]!));
  }
  return found;
}

Deno.test("HeadParser finds the same parts wherever the head is cut", () => {
  const bytes = bytesOf(`${HEAD}rest`);
  for (let cut = 0; cut <= HEAD.length; cut++) {
    const parser = new HeadParser(REQUEST, H1_LIMITS);
    const first = parser.feed(bytes.slice(0, cut), 0);
    const whole = parser.state === DONE;
    assert.equal(first, cut);
    if (!whole) {
      assert.equal(parser.state, MORE);
      assert.equal(parser.begun, cut > 0);
      assert.equal(parser.feed(bytes.slice(cut), 0), HEAD.length - cut);
    }
    assert.equal(parser.state, DONE);
    assert.equal(parser.begun, false);
    assert.deepEqual(fieldsOf(parser), ["Host", "a", "X-Own", "1 2"]);
    const { from, methodEnd, targetEnd } = parser;
    assert.equal(latin1(parser.bytes, from, methodEnd), "GET");
    assert.equal(latin1(parser.bytes, methodEnd + 1, targetEnd), "/a?b");
  }
});

Deno.test("HeadParser reads a large head byte by byte without reading it again and again", () => {
  const head = bytesOf(
    `GET / HTTP/1.1\r\nX: ${"a".repeat(60_000)}\r\nY: ${"b ".repeat(2000)}\r\n\r\n`,
  );
  const parser = new HeadParser(REQUEST, H1_LIMITS);
  const begun = performance.now();
  for (let i = 0; i < head.length; i++) parser.feed(head.subarray(i, i + 1), 0);
  assert.equal(parser.state, DONE);
  // Linear work takes some ten milliseconds; a rescan per byte takes many seconds.
  assert.ok(performance.now() - begun < 2000);
});

Deno.test("HeadParser starts anew after each head", () => {
  const parser = new HeadParser(REQUEST, H1_LIMITS);
  const bytes = bytesOf(HEAD + HEAD.replace("GET", "PUT"));
  const next = parser.feed(bytes, 0);
  assert.equal(next, HEAD.length);
  assert.equal(parser.feed(bytes, next), bytes.length);
  assert.equal(latin1(parser.bytes, parser.from, parser.methodEnd), "PUT");
});

Deno.test("HeadParser has begun no head while only empty lines came, in whatever pieces", () => {
  const parser = new HeadParser(REQUEST, H1_LIMITS);
  for (const piece of ["\r\n", "\r", "\n", "\r\n"]) parser.feed(bytesOf(piece), 0);
  assert.equal(parser.begun, false); // found by tests/fuzz/h1.ts: a connection that never went idle again
  parser.feed(bytesOf(HEAD), 0);
  assert.equal(parser.state, DONE);
});

Deno.test("Field names are found in any case, and no others", () => {
  const hash = (name: string): number => {
    let h = 0;
    for (const c of name.toLowerCase()) h = (Math.imul(h, 31) + c.charCodeAt(0)) | 0;
    return h;
  };
  for (const name of NAMES) {
    const upper = bytesOf(`..${name.toUpperCase()}..`);
    const id = nameId(upper, 2, 2 + name.length, hash(name));
    assert.equal(NAMES[id], name);
  }
  assert.equal(nameId(bytesOf("x-hosts"), 0, 7, hash("x-hosts")), -1);
  // A name that collides in the hash must still be told apart by its letters.
  assert.equal(nameId(bytesOf("tsoh"), 0, 4, hash("host")), -1);
  assert.equal(otherName(bytesOf("X-New"), 0, 5), "x-new");
  assert.equal(otherName(bytesOf("x-NEW"), 0, 5), "x-new");
  assert.equal(otherName(bytesOf("x-neW2"), 0, 6), "x-new2");
});

Deno.test("Methods are case-sensitive", () => {
  for (const method of ["GET", "POST", "PURGE", "get", "Options", "M-SEARCH"]) {
    assert.equal(methodAt(bytesOf(` ${method}`), 1, 1 + method.length), method);
  }
});

Deno.test("parseAuthority takes hosts and ports in one form only", () => {
  const good: Record<string, string> = {
    "a": "a",
    "A.B": "a.b",
    "a:0": "a:0",
    "a:65535": "a:65535",
    "127.0.0.1:80": "127.0.0.1:80",
    "[::1]": "[::1]",
    "[::FFFF:1.2.3.4]:1": "[::ffff:1.2.3.4]:1",
    "a_b~c-d": "a_b~c-d",
  };
  for (const [given, parsed] of Object.entries(good)) assert.equal(parseAuthority(given), parsed);
  for (
    const given of [
      "",
      ":",
      "a:",
      "a:x",
      "a:65536",
      "a b",
      "a/",
      "[",
      "[]",
      "[:]",
      "[g::]",
      "\u0130",
    ]
  ) {
    assert.equal(parseAuthority(given), null, given);
  }
});

Deno.test("sameAuthority knows default ports", () => {
  assert.equal(sameAuthority("a", "a:80", "http"), true);
  assert.equal(sameAuthority("a:443", "a", "https"), true);
  assert.equal(sameAuthority("a:443", "a", "http"), false);
  assert.equal(sameAuthority("a", "b", "http"), false);
});

Deno.test("parseLength takes plain numbers up to 2^53-1", () => {
  for (const [text, value] of [["0", 0], ["17", 17], ["9007199254740991", 2 ** 53 - 1]] as const) {
    assert.equal(parseLength(text), value);
  }
  for (const text of ["", "-0", "+1", "01", "1 ", "1.0", "9007199254740992", "1e1", "\u0661"]) {
    assert.equal(parseLength(text), -1, text);
  }
});

Deno.test("codingFault tells malformed codings from unknown ones", () => {
  assert.equal(codingFault("chunked"), null);
  assert.equal(codingFault(" CHUNKED\t"), null);
  assert.equal(codingFault("gzip")?.status, 501);
  assert.equal(codingFault("gzip,chunked")?.status, 501);
  assert.equal(codingFault("chunked,gzip")?.status, 400);
  assert.equal(codingFault("")?.status, 400);
});
