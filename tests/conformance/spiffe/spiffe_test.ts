/**
 * go-spiffe's own test vectors, read from Go's module cache: ids as its id_test.go has them, bundle documents as
 * its testdata has them. Skipped with a reason where the module is not there.
 */
import assert from "node:assert/strict";
import { readDocument } from "../../../control/federation/document.ts";
import { parseSpiffeId } from "../../../proxy/tls/mod.ts";

const MODULE = "github.com/spiffe/go-spiffe/v2";

/** The newest version of the module in the cache, null when there is none. */
async function folderOf(): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("go", {
      args: ["env", "GOMODCACHE"],
      stderr: "null",
    }).output();
    if (!success) return null;
    const cache = `${new TextDecoder().decode(stdout).trim()}/github.com/spiffe/go-spiffe`;
    const versions = [...Deno.readDirSync(cache)].map((one) => one.name)
      .filter((name) => name.startsWith("v2@v")).sort((a, b) =>
        a.localeCompare(b, "en", { numeric: true })
      );
    const newest = versions.at(-1);
    return newest === undefined ? null : `${cache}/${newest}`;
  } catch {
    return null;
  }
}

const folder = await folderOf();
if (folder === null) {
  console.log(`skipped: ${MODULE} is not in Go's module cache: go mod download ${MODULE}@latest`);
}

/** The ids of `TestFromString`: those taken and those refused. */
async function ids(): Promise<{ ok: string[]; fail: string[] }> {
  const text = await Deno.readTextFile(`${folder}/spiffeid/id_test.go`);
  const start = text.indexOf("func TestFromString(");
  const body = text.slice(start, text.indexOf("\nfunc ", start + 1));
  const literals = (name: string): string[] =>
    [...body.matchAll(new RegExp(`${name}\\(t, ("(?:[^"\\\\]|\\\\.)*"),`, "g"))]
      .map(([, literal]) => JSON.parse(literal!) as string);
  const ok = literals("assertOK"), fail = literals("assertFail");
  // Its loops over all characters, which are no literals.
  for (let code = 0; code < 256; code++) {
    const char = String.fromCharCode(code);
    if (char === "/") continue;
    const inDomain = /[a-z0-9._-]/.test(char), inPath = /[a-zA-Z0-9._-]/.test(char);
    (inDomain ? ok : fail).push(`spiffe://trustdomain${char}/path`);
    (inPath ? ok : fail).push(`spiffe://trustdomain/path${char}`);
  }
  return { ok, fail };
}

Deno.test({
  name: "SPIFFE-ID 2: ids that go-spiffe refuses are refused",
  ignore: folder === null,
  async fn() {
    const { fail } = await ids();
    assert.ok(fail.length > 350, `${fail.length} vectors`);
    for (const id of fail) assert.equal(parseSpiffeId(id), null, JSON.stringify(id));
  },
});

Deno.test({
  name:
    "SPIFFE-ID 2: ids that go-spiffe takes are taken, but for upper case and ids without a path",
  ignore: folder === null,
  async fn() {
    const { ok } = await ids();
    assert.ok(ok.length > 100, `${ok.length} vectors`);
    for (const id of ok) {
      const path = /^spiffe:\/\/[^/]+(\/.*)?$/.exec(id)![1] ?? "";
      // Narrower on purpose: no workload of ours or of a federated domain may have such an id.
      const isOurs = path !== "" && path === path.toLowerCase();
      assert.equal(parseSpiffeId(id)?.path ?? null, isOurs ? path : null, JSON.stringify(id));
    }
  },
});

/** What go-spiffe's bundle documents come to here: the number of certificates, or what is wrong. */
const BUNDLES: Readonly<Record<string, number | RegExp>> = {
  "spiffebundle_valid_1.json": 1,
  "spiffebundle_valid_2.json": 1,
  "spiffebundle_multiple_x509.json": /exactly one x5c/,
  // Without one there would be nobody to believe; go-spiffe takes it as an empty bundle.
  "spiffebundle_no_keys.json": /no self-signed root|wrong at "keys"/,
  // The key without an id is for tokens, which are not looked at.
  "spiffebundle_missing_kid.json": 1,
  // Newer versions have it: a key for a kind of token that is not looked at either.
  "spiffebundle_valid_with_wit.json": 1,
};
const SOME_VERSIONS_HAVE = ["spiffebundle_valid_with_wit.json"];

Deno.test({
  name:
    "SPIFFE Trust Domain and Bundle 4: go-spiffe's documents are read, or refused with a reason",
  ignore: folder === null,
  async fn() {
    const dir = `${folder}/bundle/spiffebundle/testdata`;
    const names = [...Deno.readDirSync(dir)].map((one) => one.name)
      .filter((name) => name.endsWith(".json"));
    const known = Object.keys(BUNDLES);
    assert.deepEqual(names.filter((name) => !known.includes(name)), [], "documents without a row");
    const missing = known.filter((name) => !names.includes(name));
    assert.deepEqual(missing.filter((name) => !SOME_VERSIONS_HAVE.includes(name)), []);
    for (const name of names) {
      const wanted = BUNDLES[name]!;
      const text = await Deno.readTextFile(`${dir}/${name}`);
      // Its certificate bears the name spiffe://local, so that it is of use to that domain only.
      if (typeof wanted === "number") {
        assert.equal(readDocument("local", text).bundle.length, wanted, name);
        assert.throws(
          () => readDocument("domain.test", text),
          /an authority of "spiffe:\/\/local"/,
        );
      } else assert.throws(() => readDocument("local", text), wanted, name);
    }
  },
});
