/**
 * Wasm filters: what one adds to a plain hop, beside Envoy with the same module; what metering costs programs
 * that compute; how long admission takes; what a hundred filters cost a proxy.
 */
import type { RoundOptions } from "./hop.ts";
import { haveTools } from "./process.ts";
import { type Admission, admission } from "./wasm/admission.ts";
import { type ComputeCosts, meteringCosts } from "./wasm/compute.ts";
import { type FiltersOnHop, filtersOnHop } from "./wasm/hop.ts";
import { type ManyFilters, manyFilters } from "./wasm/many.ts";
import { buildCompute, buildFilters, type FilterName } from "./wasm/modules.ts";

/** What is promised. */
export const WASM_AIMS = {
  noopUs: 3,
  headersUs: 8,
  typescriptUs: 60,
  meteringPercent: 15,
  admissionMs: 100,
  manyBytes: 60e6,
} as const;

export interface WasmResult extends RoundOptions {
  readonly bench: "wasm";
  readonly hop: FiltersOnHop;
  readonly metering: ComputeCosts;
  /** Null: there is no large module, which Go makes. */
  readonly admission: Admission | null;
  readonly many: ManyFilters;
  /** What could not be built here, and why. */
  readonly missing: Readonly<Record<string, string>>;
  readonly withinLimit: boolean;
}

/** There are many contenders, so that each has half of `seconds` in a round. */
export async function wasm({ rounds, seconds }: RoundOptions): Promise<WasmResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-wasm-" });
  try {
    const filters = await buildFilters(folder), compute = await buildCompute(folder);
    const metering = meteringCosts(compute.modules);
    console.error(JSON.stringify(metering));
    const large = filters.modules.get("go");
    if (large !== undefined) await Deno.writeFile(`${folder}/large.wasm`, large);
    const admitted = large === undefined ? null : await admission(`${folder}/large.wasm`);
    console.error(JSON.stringify(admitted));
    const many = await manyFilters(filters.modules, folder);
    console.error(JSON.stringify(many));
    const half = Math.max(1, Math.round(seconds / 2));
    const hop = await filtersOnHop(filters.modules, folder, { rounds, seconds: half });
    const found = { hop, metering, admission: admitted, many };
    return {
      bench: "wasm",
      rounds,
      seconds: half,
      ...found,
      missing: { ...filters.missing, ...compute.missing },
      withinLimit: within(found),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The aim of one filter on the hop, in µs. */
export function aimOf(name: FilterName): number {
  if (name === "noop") return WASM_AIMS.noopUs;
  return name === "typescript" ? WASM_AIMS.typescriptUs : WASM_AIMS.headersUs;
}

export function dearestMetering(metering: ComputeCosts): number {
  return Math.max(...Object.values(metering).map((one) => one.costPercent));
}

function within(
  { hop, metering, admission, many }: Pick<WasmResult, "hop" | "metering" | "admission" | "many">,
): boolean {
  const added = Object.entries(hop.added) as [FilterName, { readonly metered: number }][];
  return added.every(([name, { metered }]) => metered <= aimOf(name)) &&
    dearestMetering(metering) <= WASM_AIMS.meteringPercent &&
    (admission === null || admission.first.total <= WASM_AIMS.admissionMs) &&
    many.bytesWith - many.bytesWithout <= WASM_AIMS.manyBytes;
}
