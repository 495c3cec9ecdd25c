/** Builds the example with its published SDK, runs it in the proxy's host, and verifies what it signed with WebCrypto. */
import assert from "node:assert/strict";
import { FakeClock } from "../../../wasm/testing/harness.ts";
import { admitIfBuilt, hostExample } from "../support.ts";

const KEY = "a key that only tests know";
const example = await admitIfBuilt("rust-request-signing");
const ignore = example === null;

/** The signature by another implementation, over what the README says is signed. */
async function signatureOf(...lines: string[]): Promise<string> {
  const text = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", text.encode(KEY), algorithm, false, ["sign"]);
  const code = await crypto.subtle.sign("HMAC", key, text.encode(lines.join("\n")));
  return new Uint8Array(code).toHex();
}

Deno.test({
  name: "request-signing signs time, method, authority and path",
  ignore,
  fn: async () => {
    const clock = new FakeClock();
    const config = JSON.stringify({ key: KEY, keyId: "k1", header: "x-proof" });
    const { exchange } = await hostExample(example!, { config, clock });
    const call = exchange("x-proof", "keyId=k1,t=1,v1=forged");
    call.requestHead();
    const seconds = String(Math.trunc(clock.nowMs() / 1000));
    const { method, authority, path, fields } = call.request;
    const signature = await signatureOf(seconds, method, authority, path);
    assert.deepEqual(fields.all("x-proof"), [`keyId=k1,t=${seconds},v1=${signature}`]);
    clock.ms += 5000;
    const later = exchange();
    later.requestHead();
    assert.notEqual(later.request.fields.get("x-proof"), fields.get("x-proof"));
  },
});

for (
  const [what, config, why] of [
    ["without a key", "{}", /"key" has 0 bytes; wanted at least 16/],
    ["with a short key", '{"key": "short"}', /"key" has 5 bytes; wanted at least 16/],
    ["that is not JSON", "key: yes", /is not JSON/],
  ] as const
) {
  Deno.test({
    name: `request-signing refuses a configuration ${what}, and says why`,
    ignore,
    fn: async () => {
      await assert.rejects(hostExample(example!, { config }), (error: Error) => {
        assert.match(error.message, /refused its configuration/);
        assert.match(error.message, why);
        return true;
      });
    },
  });
}

Deno.test({
  name: "request-signing may read and change headers and nothing else",
  ignore,
  fn: () => {
    const { listing } = example!;
    assert.equal(listing.language, "rust");
    assert.equal(listing.measured.traps, 0);
    assert.ok(listing.hooks.includes("request-headers"));
  },
});
