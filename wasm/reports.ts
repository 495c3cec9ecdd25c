/** Cost and health of every Wasm filter in this proxy, for the report to the control plane and the admin pages. */

export interface FilterStatus {
  readonly name: string;
  readonly digest: string;
  readonly state: "running" | "backing-off" | "tripped";
  readonly cost: { readonly calls: number; readonly fuel: number; readonly us: number };
  readonly memoryBytes: number;
  readonly traps: number;
  readonly lastTrap: string;
  /** Why the newest configuration is not in force and an older one goes on; "": it is. */
  readonly refused?: string;
}

/** One row; the same shape as `FilterReport` of the protocol, which this layer may not import. */
export interface WasmReport {
  readonly name: string;
  readonly digest: string;
  readonly state: FilterStatus["state"];
  readonly calls: number;
  readonly fuel: number;
  readonly us: number;
  readonly memoryBytes: number;
  readonly traps: number;
  readonly lastTrap: string;
  readonly refused?: string;
}

export class WasmReports {
  readonly #filters = new Set<FilterStatus>();

  add(filter: FilterStatus): void {
    this.#filters.add(filter);
  }

  remove(filter: FilterStatus): void {
    this.#filters.delete(filter);
  }

  /** One row for each filter in use, by name; the older first while two versions drain past each other. */
  list(): WasmReport[] {
    return [...this.#filters].map((f) => ({
      name: f.name,
      digest: f.digest,
      state: f.state,
      calls: f.cost.calls,
      fuel: f.cost.fuel,
      us: Math.round(f.cost.us),
      memoryBytes: f.memoryBytes,
      traps: f.traps,
      lastTrap: f.lastTrap,
      ...(f.refused === undefined || f.refused === "" ? {} : { refused: f.refused }),
    })).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
}
