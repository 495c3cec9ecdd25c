/** The command line parser: flags in every form, and mistakes told in words. */
import assert from "node:assert/strict";
import {
  type CommandSpec,
  helpText,
  nearest,
  parseArgs,
  parseDuration,
  parsePlace,
  UsageError,
} from "./args.ts";

const SPEC: CommandSpec = {
  usage: "denim try",
  about: "Try things.",
  flags: {
    file: { value: "FILE", short: "f", many: true, help: "A file" },
    listen: { value: "HOST:PORT", default: "127.0.0.1:1", help: "Where" },
    wait: { help: "Wait" },
    data: { value: "DIR", required: true, help: "Folder" },
  },
  words: { min: 0, max: 1, names: "KIND" },
};

const parse = (...args: string[]) => parseArgs(SPEC, args)!;
const fails = (message: RegExp, ...args: string[]) =>
  assert.throws(() => parse(...args), (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, message);
    return true;
  });

Deno.test("parseArgs takes values apart or joined, short names and words", () => {
  const args = parse("--data", "d", "-f", "a", "--file=b=c", "word", "--wait");
  assert.deepEqual(args.all("file"), ["a", "b=c"]);
  assert.equal(args.text("data"), "d");
  assert.equal(args.on("wait"), true);
  assert.deepEqual(args.words, ["word"]);
  assert.deepEqual(args.place("listen"), { host: "127.0.0.1", port: 1 });
  assert.deepEqual(parse("--data=d", "--", "--wait").words, ["--wait"]);
  assert.equal(parse("--data=d").on("wait"), false);
});

Deno.test("parseArgs says what was not understood and what was meant", () => {
  fails(/no flag --wiat; did you mean --wait\?/, "--data=d", "--wiat");
  fails(/no flag --zzzzzz$/, "--data=d", "--zzzzzz");
  fails(/--data DIR is wanted/, "--wait");
  fails(/--data wants a value: --data DIR/, "--data");
  fails(/--wait takes no value/, "--data=d", "--wait=1");
  fails(/--data is given twice/, "--data=d", "--data=e");
  fails(/"two" is not understood/, "--data=d", "one", "two");
});

Deno.test("parseArgs gives null when help is asked for, which names every flag", () => {
  assert.equal(parseArgs(SPEC, ["--help"]), null);
  const help = helpText(SPEC);
  for (const part of ["-f, --file FILE", "may be repeated", "default 127.0.0.1:1", "wanted"]) {
    assert.ok(help.includes(part), part);
  }
});

Deno.test("parsePlace and parseDuration read what they say and nothing else", () => {
  assert.deepEqual(parsePlace("x", "[::1]:80"), { host: "::1", port: 80 });
  for (const bad of ["", "a", "a:", ":1", "a:70000", "a b:1", "::1:80"]) {
    assert.throws(() => parsePlace("x", bad), UsageError, bad);
  }
  assert.equal(parseDuration("x", "90s"), 90_000);
  for (const bad of ["", "1", "s", "-1s", "1.5h", "1w"]) {
    assert.throws(() => parseDuration("x", bad), UsageError, bad);
  }
});

Deno.test("nearest finds typing mistakes and does not guess", () => {
  assert.equal(nearest("proxi", ["proxy", "apply"]), "proxy");
  assert.equal(nearest("hist", ["history"]), "history");
  assert.equal(nearest("xyz", ["proxy", "apply"]), "");
});
