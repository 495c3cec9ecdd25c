/** The limits of Wasm filters as resources name them: in a FilterBinding, and as maxima in MeshConfig. */
import { z } from "zod";
import { FILTER_LIMITS, LIMIT_NAMES, type LimitName } from "../../wasm/limits.ts";
import { wanted } from "./common.ts";

const shape = Object.fromEntries(LIMIT_NAMES.map((name) => {
  const { min, max } = FILTER_LIMITS[name];
  const range = wanted(`a whole number from ${min} to ${max}`);
  return [name, z.int(range).min(min, range).max(max, range).optional()];
})) as unknown as { readonly [K in LimitName]: z.ZodOptional<z.ZodInt> };

export const filterLimits = z.strictObject(shape);

/** MeshConfig's `filters`. */
export const meshFilters = z.strictObject({
  /** The most a FilterBinding may ask for, by limit; filters that ask for nothing are held to it too. */
  maxLimits: filterLimits.optional(),
});

export type GivenLimits = z.infer<typeof filterLimits>;
