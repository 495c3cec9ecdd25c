/** What `bench wasm` gives to the table of all benches. */
import { disturbed, type Row } from "../table.ts";
import { aimOf, dearestMetering, WASM_AIMS, type WasmResult } from "../wasm.ts";
import type { Added } from "./hop.ts";
import type { FilterName } from "./modules.ts";

const SHOWN: Readonly<Record<FilterName, string>> = {
  noop: "An empty Wasm filter",
  assemblyscript: "A header filter in AssemblyScript",
  rust: "A header filter in Rust",
  go: "A header filter in Go",
  typescript: "A header filter in TypeScript",
};

export function wasmRows({ hop, metering, admission, many }: WasmResult): Row[] {
  const busy = disturbed(hop.load.each) ? " (busy machine)" : "";
  const added = Object.entries(hop.added) as [FilterName, Added][];
  return [
    ...added.map(([name, { metered, envoy }]) => ({
      what: `${SHOWN[name]} adds, CPU µs a request${busy}`,
      values: { denim: metered, ...(envoy === null ? {} : { envoy }) },
      aim: `Denim ≤ ${aimOf(name)}`,
    })),
    {
      what: `Metering costs programs that compute, at most, %`,
      values: { denim: dearestMetering(metering) },
      aim: `≤ ${WASM_AIMS.meteringPercent}`,
    },
    ...(admission === null ? [] : [{
      what: `Admission of a module of ${megabytes(admission.moduleBytes)} MB, ms`,
      values: { denim: admission.first.total },
      aim: `≤ ${WASM_AIMS.admissionMs}`,
    }]),
    {
      what: `${many.bindings} Wasm filters in one proxy, MB more`,
      values: { denim: megabytes(many.bytesWith - many.bytesWithout) },
      aim: `≤ ${megabytes(WASM_AIMS.manyBytes)}`,
    },
  ];
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
