/** Cost and health of every Wasm filter in this proxy, for the report to the control plane and the admin pages. */

import type { RouteCost } from "./route_costs.ts";
import { TRAP_LIMITS, type TrapReport } from "./trap_report.ts";

export interface FilterStatus {
  readonly name: string;
  readonly digest: string;
  readonly state: "running" | "backing-off" | "tripped";
  readonly cost: { readonly calls: number; readonly fuel: number; readonly us: number };
  readonly routes: { list(): readonly RouteCost[] };
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
  /** Exchanges it saw. */
  readonly exchanges: number;
  /** The dearest first, so many of them. */
  readonly routes: readonly RouteRow[];
}

export interface RouteRow {
  readonly route: string;
  readonly exchanges: number;
  readonly fuel: number;
  readonly us: number;
  readonly traps: number;
}

/** Routes of one filter in one report. */
const ROUTE_ROWS = 16;

export class WasmReports {
  readonly #filters = new Set<FilterStatus>();
  #traps: TrapReport[] = [];
  #number = 0;
  /** Keeps traps for longer than the process lives. */
  keep: ((report: TrapReport) => void) | null = null;

  /** A trap has happened; old ones of the same filter, and of all, give way. */
  trapped(report: Omit<TrapReport, "id">): void {
    const id = `${Math.trunc(report.atMs).toString(36)}-${(++this.#number).toString(36)}`;
    const whole = { ...report, id };
    this.remember([whole]);
    this.keep?.(whole);
  }

  /** Traps that were kept of an earlier life, oldest first. */
  remember(reports: readonly TrapReport[]): void {
    for (const report of reports) {
      const same = this.#traps.filter((one) => one.filter === report.filter);
      const old = same.length >= TRAP_LIMITS.perFilter ? same[0] : undefined;
      if (old !== undefined) this.#traps = this.#traps.filter((one) => one !== old);
      this.#traps.push(report);
    }
    this.#traps = this.#traps.slice(-TRAP_LIMITS.all);
  }

  /** The last traps, oldest first. */
  traps(): readonly TrapReport[] {
    return this.#traps;
  }

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
      exchanges: f.routes.list().reduce((sum, one) => sum + one.exchanges, 0),
      routes: [...f.routes.list()].sort((a, b) => b.us - a.us).slice(0, ROUTE_ROWS).map((one) => ({
        route: one.route,
        exchanges: one.exchanges,
        fuel: one.fuel,
        us: Math.round(one.us),
        traps: one.traps,
      })),
      ...(f.refused === undefined || f.refused === "" ? {} : { refused: f.refused }),
    })).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
}
