/** What a FilterBinding's limits come to under the maxima of the mesh. */
import { FILTER_LIMITS, LIMIT_NAMES, type LimitName } from "../../wasm/limits.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import { FILTER_DEFAULTS } from "../schema/defaults.ts";
import type { GivenLimits } from "../schema/filter_limits.ts";
import type { Report } from "./check_words.ts";
import type { Mesh } from "./mesh.ts";
import type { AdmittedModule } from "./modules.ts";

export interface EffectiveLimits {
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
  /** The others, where they are not what a proxy takes by itself. */
  readonly limits: Readonly<Partial<Record<LimitName, number>>>;
}

const MIB = 1024 * 1024;

/** The binding's word, then the publisher's, then the default; never over the mesh's maximum. */
export function effectiveLimits(
  mesh: Mesh,
  given: GivenLimits,
  module: AdmittedModule,
): EffectiveLimits {
  const most = mesh.maxFilterLimits;
  const limits: Partial<Record<LimitName, number>> = {};
  for (const name of LIMIT_NAMES) {
    if (name === "fuelPerCall" || name === "memoryMiB") continue;
    const value = given[name], max = most[name];
    if (value !== undefined) limits[name] = Math.min(value, max ?? value);
    // Defaults of some limits follow from others: what a proxy would take may be above the maximum.
    else if (max !== undefined) limits[name] = Math.min(FILTER_LIMITS[name].default, max);
  }
  const fuelPerCall = given.fuelPerCall ?? module.fuelPerCall ?? FILTER_DEFAULTS.fuelPerCall;
  const memoryBytes = given.memoryMiB === undefined
    ? module.memoryBytes ?? FILTER_DEFAULTS.memoryBytes
    : given.memoryMiB * MIB;
  return {
    fuelPerCall: Math.min(fuelPerCall, most.fuelPerCall ?? fuelPerCall),
    memoryBytes: Math.min(
      memoryBytes,
      most.memoryMiB === undefined ? memoryBytes : most.memoryMiB * MIB,
    ),
    limits,
  };
}

/** Whether a binding asks for more than the mesh lets it, or for a module that is larger than it may be. */
export function checkLimits(
  mesh: Mesh,
  { spec }: FilterBinding,
  module: { readonly name: string; readonly bytes?: number } | null,
  report: Report,
): void {
  const { limits = {} } = spec;
  for (const name of LIMIT_NAMES) {
    const value = limits[name], max = mesh.maxFilterLimits[name];
    if (value === undefined || max === undefined || value <= max) continue;
    report(
      `spec.limits.${name}`,
      `is ${value}, wanted a whole number from ${FILTER_LIMITS[name].min} to ${max}, ` +
        `the mesh's maximum (MeshConfig spec.filters.maxLimits.${name})`,
    );
  }
  const size = Math.min(
    limits.moduleMiB ?? FILTER_LIMITS.moduleMiB.default,
    mesh.maxFilterLimits.moduleMiB ?? Infinity,
  );
  if (module?.bytes !== undefined && module.bytes > size * MIB) {
    report(
      "spec.limits.moduleMiB",
      `is ${size}, and module "${module.name}" has ${module.bytes} bytes; wanted at least ` +
        `${Math.ceil(module.bytes / MIB)}`,
    );
  }
}
