/** Admits the module at a path a few times over and prints how long each step took; a process of its own. */
import { CAPABILITIES } from "../../wasm/capabilities.ts";
import { sha256 } from "../../wasm/filter.ts";
import { makeArtefact } from "../../control/market/artefact.ts";
import { runTrial } from "../../control/market/trial.ts";
import { another } from "./another.ts";
import type { AdmissionMs } from "./admission.ts";

const TIMES = 4, MEMORY_MIB = 16;

async function admit(bytes: Uint8Array): Promise<AdmissionMs> {
  const began = performance.now();
  await sha256(bytes);
  const measuredFrom = performance.now();
  const { artefact, abi } = await makeArtefact(bytes, { limits: { memoryMiB: MEMORY_MIB } });
  const instrument = performance.now() - measuredFrom;
  const digest = await sha256(artefact);
  const trialFrom = performance.now();
  const { measured } = await runTrial({
    abi,
    bytes: artefact,
    digest,
    name: "bench/large",
    config: "",
    fuelPerCall: 10_000_000,
    memoryBytes: MEMORY_MIB * 1024 * 1024,
    capabilities: Object.keys(CAPABILITIES),
  });
  const trial = performance.now() - trialFrom, start = measured.instantiateMs;
  return { instrument, start, trace: trial - start, total: performance.now() - began };
}

const bytes = await Deno.readFile(Deno.args[0]!);
const all: AdmissionMs[] = [];
for (let time = 0; time < TIMES; time++) {
  all.push(await admit(another(bytes, time))); // or the engine would remember it
}
console.log(JSON.stringify(all));
