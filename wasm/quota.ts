/** How often a guest may do what costs the host more than fuel tells: by kind, in one call and for one exchange. */
import type { FilterLimits, LimitName } from "./limits.ts";

export const QUOTA = {
  logs: 0,
  headers: 1,
  properties: 2,
  shared: 3,
  metrics: 4,
  sideCalls: 5,
} as const;

export type QuotaKind = (typeof QUOTA)[keyof typeof QUOTA];

/** By {@link QuotaKind}: what is limited, and the limits' names. */
const NAMES: readonly (readonly [call: LimitName, request: LimitName])[] = [
  ["logsPerCall", "logsPerRequest"],
  ["headerChangesPerCall", "headerChangesPerRequest"],
  ["propertiesPerCall", "propertiesPerRequest"],
  ["sharedWritesPerCall", "sharedWritesPerRequest"],
  ["metricsPerCall", "metricsPerRequest"],
  ["sideCallsPerCall", "sideCallsPerRequest"],
];

/** What has been used, by kind. */
export type Tally = number[];

export function newTally(): Tally {
  return [0, 0, 0, 0, 0, 0];
}

export function clearTally(tally: Tally): void {
  for (let kind = 0; kind < tally.length; kind++) tally[kind] = 0;
}

/** The quotas of one filter; shared by its instances. */
export class Quotas {
  readonly #perCall: readonly number[];
  readonly #perRequest: readonly number[];

  constructor(limits: FilterLimits) {
    this.#perCall = NAMES.map(([call]) => limits[call]);
    this.#perRequest = NAMES.map(([, request]) => limits[request]);
  }

  /** Counts one of `kind`; null: it fits, else the limit it is over. `request` is null outside of exchanges. */
  take(kind: QuotaKind, call: Tally, request: Tally | null): LimitName | null {
    if (++call[kind]! > this.#perCall[kind]!) return NAMES[kind]![0];
    if (request !== null && ++request[kind]! > this.#perRequest[kind]!) return NAMES[kind]![1];
    return null;
  }
}
