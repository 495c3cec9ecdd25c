/** A published example in the proxy's host: metered as at admission, with backends that answer when the test says so. */
import { join } from "node:path";
import { instrument } from "../../../wasm/instrument.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../../../wasm/limits.ts";
import { FakeCalls } from "../../../wasm/testing/fake_calls.ts";
import { type FilterSetup, type Settings, setUp } from "../../../wasm/testing/harness.ts";
import { BUILT } from "./builds.ts";

/** Go's runtime begins with 8 MiB. */
const MEMORY_BYTES = 32 * 1024 * 1024;

export interface Rig extends FilterSetup {
  readonly calls: FakeCalls;
  /** All that has been logged so far, the lines of earlier looks included. */
  said(): string[];
  /** Moves the clock, and lets what is due happen. */
  pass(ms: number): void;
}

/** One example of one SDK, and what its author says it does. */
export interface Example {
  readonly name: string;
  /** In a few words, for the table. */
  readonly shows: string;
  readonly settings?: Settings;
  /** Where this host does something else than the author states, what that is. */
  readonly differs?: string;
  /** Asserts what the author states. `another` starts another example of the SDK. */
  run(rig: Rig, another: (name: string, settings: Settings) => Promise<Rig>): void | Promise<void>;
}

export async function start(sdk: string, name: string, settings: Settings = {}): Promise<Rig> {
  const bytes = await Deno.readFile(join(BUILT, sdk, `${name}.wasm`));
  const module = instrument(bytes, {
    maxPages: MEMORY_BYTES / PAGE_BYTES,
    maxTable: WASM_LIMITS.tableElements,
  });
  const calls = new FakeCalls();
  const filter = await setUp(module, {
    memoryBytes: MEMORY_BYTES,
    fuelPerCall: WASM_LIMITS.fuelPerCall,
    calls,
    ...settings,
  });
  const lines: string[] = [];
  return {
    ...filter,
    calls,
    said: () => {
      lines.push(...filter.notes());
      return lines;
    },
    pass: (ms) => {
      filter.clock.ms += ms;
      filter.wheel.advance();
    },
  };
}

/** A backend by the name that an example has for it. */
export function upstream(name: string): readonly unknown[] {
  return [{ names: [name], backend: `default/${name}:80`, fields: [] }];
}
