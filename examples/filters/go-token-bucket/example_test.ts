/** Builds the example with its published SDK and runs it in the proxy's host. */
import assert from "node:assert/strict";
import { CONTINUE, DONE } from "../../../core/filter.ts";
import { FakeClock } from "../../../wasm/testing/harness.ts";
import { admitIfBuilt, type Hosted, hostExample } from "../support.ts";

const example = await admitIfBuilt("go-token-bucket");
const ignore = example === null;
const CONFIG = '{"key": "x-api-key", "rate": 2, "burst": 3}';

/** Whether requests of a client pass, one after another. */
function passes({ exchange }: Hosted, key: string, count: number): boolean[] {
  return Array.from({ length: count }, () => {
    const call = exchange("x-api-key", key);
    const verdict = call.requestHead();
    assert.ok(verdict === CONTINUE || call.reply?.status === 429);
    return verdict === CONTINUE;
  });
}

Deno.test({
  name: "token-bucket lets a burst pass and gives tokens back at its rate",
  ignore,
  fn: async () => {
    const clock = new FakeClock();
    const hosted = await hostExample(example!, { config: CONFIG, clock });
    assert.deepEqual(passes(hosted, "ada", 5), [true, true, true, false, false]);
    clock.ms += 1000;
    assert.deepEqual(passes(hosted, "ada", 3), [true, true, false]);
    clock.ms += 60_000;
    assert.deepEqual(passes(hosted, "ada", 4), [true, true, true, false]);
  },
});

Deno.test({
  name: "token-bucket counts every client apart",
  ignore,
  fn: async () => {
    const hosted = await hostExample(example!, { config: CONFIG, clock: new FakeClock() });
    assert.deepEqual(passes(hosted, "ada", 4), [true, true, true, false]);
    assert.deepEqual(passes(hosted, "grace", 4), [true, true, true, false]);
  },
});

Deno.test({
  name: "token-bucket says when to come back, and how many tokens are left",
  ignore,
  fn: async () => {
    const config = '{"rate": 0.25, "burst": 2}';
    const { exchange } = await hostExample(example!, { config, clock: new FakeClock() });
    const first = exchange(), second = exchange(), third = exchange();
    first.requestHead();
    first.responseHead(true);
    assert.equal(first.response!.fields.get("x-ratelimit-remaining"), "1");
    second.requestHead();
    assert.equal(third.requestHead(), DONE);
    assert.equal(third.reply!.status, 429);
    assert.equal(third.reply!.fields.get("retry-after"), "4");
    assert.equal(third.reply!.body, "Too many requests\n");
  },
});

Deno.test({
  name: "token-bucket refuses a rate of 0",
  ignore,
  fn: async () => {
    await assert.rejects(
      hostExample(example!, { config: '{"rate": 0}' }),
      /refused its configuration.*wanted a rate over 0/,
    );
  },
});

Deno.test({
  name: "token-bucket is listed as what it is",
  ignore,
  fn: () => {
    const { listing } = example!;
    assert.equal(listing.language, "go");
    assert.equal(listing.measured.traps, 0);
    assert.ok(listing.capabilities.includes("shared-data"));
  },
});
