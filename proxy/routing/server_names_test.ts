import assert from "node:assert/strict";
import { ServerNames } from "./server_names.ts";

/** What the client named, what it asks for, and whether somebody else is for that. */
const CASES: readonly (readonly [servername: string, authority: string, misdirected: boolean])[] = [
  ["a.test", "a.test", false],
  ["a.test", "a.test:8443", false],
  ["a.test", "a.test.", false],
  ["a.test", "x.b.test", true],
  ["x.b.test", "y.z.b.test", false], // both of *.b.test
  ["x.b.test", "deep.b.test", true], // which has a listener of its own
  ["deep.b.test", "x.b.test:443", true],
  ["a.test", "b.test", false], // nobody's: unknown, not misdirected
  ["a.test", "[::1]:443", false],
  ["", "a.test", true],
];

Deno.test("ServerNames tells requests for another listener from those for none", () => {
  const names = new ServerNames(["a.test", "*.b.test", "Deep.b.test"]);
  for (const [servername, authority, misdirected] of CASES) {
    assert.equal(
      names.misdirected(servername, authority),
      misdirected,
      `${servername} ${authority}`,
    );
  }
});

Deno.test("ServerNames sends what is nobody else's to the listener for everybody", () => {
  const names = new ServerNames(["a.test", "*"]);
  assert.equal(names.misdirected("x.test", "y.test"), false);
  assert.equal(names.misdirected("", "10.0.0.1:8443"), false);
  assert.equal(names.misdirected("a.test", "y.test"), true);
  assert.equal(names.misdirected("x.test", "a.test"), true);
});

Deno.test("ServerNames finds nothing misdirected where there is one listener", () => {
  for (const only of ["*", "a.test", "*.test"]) {
    const names = new ServerNames([only, only]);
    assert.equal(names.misdirected("a.test", "b.test"), false, only);
  }
});
