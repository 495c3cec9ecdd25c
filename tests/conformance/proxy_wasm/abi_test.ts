/** Clauses of the Proxy-Wasm ABI and of what real guests rely on, one guest in WAT for each. */
import assert from "node:assert/strict";
import { FakeCalls } from "../../../wasm/testing/fake_calls.ts";
import { setUpWat } from "../../../wasm/testing/harness.ts";
import { DATA } from "./abi_data.ts";
import { FAILING } from "./abi_failures.ts";
import { FLOW } from "./abi_flow.ts";
import { LIFE } from "./abi_life.ts";
import { upstream } from "./rig.ts";

for (const one of [...DATA, ...FLOW, ...LIFE, ...FAILING]) {
  Deno.test(`Proxy-Wasm ABI: ${one.name}`, async () => {
    const calls = new FakeCalls();
    const settings = {
      calls,
      upstreams: upstream("auth"),
      ...one.settings,
      ...(one.options === undefined ? {} : { wat: one.options }),
    };
    if (one.refused !== undefined) {
      await assert.rejects(setUpWat(one.wat, settings), one.refused);
      return;
    }
    const setup = await setUpWat(one.wat, settings);
    const pass = (ms: number): void => {
      setup.clock.ms += ms;
      setup.wheel.advance();
    };
    if (one.run === undefined) setup.exchange().requestHead();
    else await one.run({ ...setup, calls, pass });
    if (one.notes !== undefined) assert.deepEqual(setup.notes(), one.notes);
  });
}
