import { ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { compileRegex, Regex, REGEX_LIMITS } from "./regex.ts";

function compiled(pattern: string): Regex {
  const regex = compileRegex(pattern);
  ok(regex instanceof Regex, `${pattern}: ${JSON.stringify(regex)}`);
  return regex;
}

const MATCHES: [pattern: string, yes: string[], no: string[]][] = [
  ["abc", ["abc"], ["ab", "abcd", "xabc", ""]],
  ["", [""], ["a"]],
  ["a|bc|", ["a", "bc", ""], ["b", "abc"]],
  ["/v[0-9]+/.*", ["/v1/", "/v42/x/y"], ["/v/", "/v1"]],
  ["a{2,3}", ["aa", "aaa"], ["a", "aaaa"]],
  ["a{2}", ["aa"], ["a", "aaa"]],
  ["a{2,}b?", ["aa", "aaaab"], ["a", "aabb"]],
  ["(?:ab)*", ["", "abab"], ["aba"]],
  ["(?P<id>\\d+)-(?<n>\\w+)", ["12-a_Z"], ["-a", "12-"]],
  ["(?i)Beta-[x]", ["BETA-X", "beta-x"], ["bet-x"]],
  ["(?i)[^a]", ["b"], ["a", "A"]],
  ["^a$", ["a"], ["aa"]],
  ["^$", [""], ["a"]],
  ["$^", [""], ["a"]],
  ["a^b", [], ["ab", "a", "b"]],
  ["(a$|ab)", ["a", "ab"], ["b"]],
  ["[]a]", ["]", "a"], ["b"]],
  ["[a\\-z]", ["a", "-", "z"], ["b"]],
  ["[a-]", ["a", "-"], ["b"]],
  ["[^/]+", ["ab\u00e9\u4e00"], ["a/b", ""]],
  ["[[:digit:][:^alnum:]]", ["1", "-"], ["a"]],
  ["\\x41\\.\\/", ["A./"], ["A_/"]],
  ["a.c", ["abc", "a\u4e00c"], ["a\nc"]],
  ["x*?y+?", ["y", "xxyy"], ["x"]],
  ["{a}", ["{a}"], ["a"]],
  ["(a*)*b", ["b", "aab"], ["a"]],
  ["(){3}a", ["a"], [""]],
];

for (const [pattern, yes, no] of MATCHES) {
  Deno.test(`Regex ${JSON.stringify(pattern)} matches whole texts only`, () => {
    const regex = compiled(pattern);
    for (const text of yes) ok(regex.test(text), `should match ${JSON.stringify(text)}`);
    for (const text of no) ok(!regex.test(text), `should not match ${JSON.stringify(text)}`);
  });
}

const REFUSED: [pattern: string, at: number, message: RegExp][] = [
  ["(a)\\1", 5, /back-reference/],
  ["(?=a)", 2, /look-around/],
  ["(?<!a)b", 2, /not supported/],
  ["a\\b", 3, /"\\b", which is not supported/],
  ["*a", 1, /nothing before/],
  ["a**", 3, /repeats a repeat/],
  ["a*+", 2, /possessive/],
  ["(a", 2, /without its "\)"/],
  ["a)", 1, /without its "\("/],
  ["[a", 2, /without its "]"/],
  ["[z-a]", 4, /out of order/],
  ["a{3,2}", 1, /more often than/],
  ["a{1001}", 1, /more than 1000 times/],
  ["\\", 1, /backslash/],
  ["caf\u4e00", 4, /percent-encoded/],
  ["\\p{L}", 2, /not supported/],
  ["[[:nope:]]", 1, /unknown class/],
];

for (const [pattern, at, message] of REFUSED) {
  Deno.test(`compileRegex refuses ${JSON.stringify(pattern)}`, () => {
    const error = compileRegex(pattern);
    ok(!(error instanceof Regex));
    ok(message.test(error.message), error.message);
    equal(error.at, at);
  });
}

Deno.test("compileRegex refuses a pattern over patternChars", () => {
  ok(compileRegex("a".repeat(REGEX_LIMITS.patternChars)) instanceof Regex);
  ok(!(compileRegex("a".repeat(REGEX_LIMITS.patternChars + 1)) instanceof Regex));
});

Deno.test("compileRegex refuses a program over the instruction limit", () => {
  ok(compileRegex("(a{100}){9}") instanceof Regex);
  const error = compileRegex("((a{1000}){1000}){1000}");
  ok(!(error instanceof Regex) && /too large/.test(error.message));
  ok(compileRegex("((((){1000}){1000}){1000}){1000}") instanceof Regex); // ends at once
});

Deno.test("compileRegex refuses more nested groups than the depth limit", () => {
  const nest = (n: number) => "(".repeat(n) + "a" + ")".repeat(n);
  ok(compileRegex(nest(REGEX_LIMITS.depth)) instanceof Regex);
  ok(!(compileRegex(nest(REGEX_LIMITS.depth + 1)) instanceof Regex));
});

Deno.test("Regex takes linear time where backtracking takes for ever", () => {
  const regex = compiled("(a+)+(a|aa)*(.*a){10}b");
  const text = "a".repeat(20_000);
  regex.test(text);
  const before = performance.now();
  equal(regex.test(text), false);
  ok(performance.now() - before < 1000);
});

Deno.test("Regex keeps at most the limit of states and stays right", () => {
  // The automaton of "the 12th character from the end is a" has 2^12 states.
  const regex = compiled("(a|b)*a(a|b){11}");
  let seed = 1, text = "";
  for (let i = 0; i < 20_000; i++) {
    seed = (seed * 48271) % 2147483647;
    text += seed & 4096 ? "a" : "b";
  }
  for (let i = text.length - 10; i < text.length; i++) {
    equal(regex.test(text.slice(0, i)), text[i - 12] === "a");
  }
  ok(regex.states <= REGEX_LIMITS.states);
});

const atom = fc.constantFrom(
  "a",
  "b",
  "c",
  ".",
  "[ab]",
  "[^a]",
  "\\d",
  "1",
  "(?:a|b)",
  "x?",
  "^",
  "$",
);
const pattern: fc.Arbitrary<string> = fc.letrec<{ p: string; q: string }>((tie) => ({
  p: fc.oneof(
    { maxDepth: 4 },
    atom,
    fc.tuple(tie("p"), tie("p")).map(([l, r]) => l + r),
    fc.tuple(tie("p"), tie("p")).map(([l, r]) => `(${l}|${r})`),
    tie("q"),
  ),
  q: fc.tuple(tie("p"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{2,}"))
    .map(([p, times]) => `(${p})${times}`),
})).p;

Deno.test("Regex agrees with RegExp on random patterns and texts", () => {
  fc.assert(
    fc.property(pattern, fc.array(fc.string({ unit: fc.constantFrom(..."abc1x"), maxLength: 8 })), (
      source,
      texts,
    ) => {
      const regex = compiled(source);
      const oracle = new RegExp(`^(?:${source})$`);
      for (const text of texts) equal(regex.test(text), oracle.test(text), `${source} on ${text}`);
    }),
    { numRuns: 500 },
  );
});

Deno.test("compileRegex never throws on any text", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...".*+?{}[]()|\\^$-,:09adxDwP<>=!i"), maxLength: 24 }),
      (
        source,
      ) => {
        const regex = compileRegex(source);
        if (regex instanceof Regex) regex.test("a0-");
        else ok(regex.at >= 0 && regex.at <= source.length && regex.message.length > 0);
      },
    ),
    { numRuns: 2000 },
  );
});
