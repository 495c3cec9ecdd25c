/** What a filter costs by route: in metrics, in reports, and on the state each exchange has of it. */
import type { Counter, Metrics } from "../core/metrics.ts";
import { WASM_LIMITS } from "./limits.ts";
import type { Tally } from "./quota.ts";

/** Routes one filter tells apart; what is more is told as "other". */
export const ROUTES_LIMIT = 64;
const OTHER = "other";

/** What one exchange has cost in one filter; the access log reads it. */
export abstract class FilterSpend {
  fuelUsed = 0;
  usUsed = 0;
  /** FilterBinding, `namespace/name`. */
  abstract get filterName(): string;
}

/** One exchange on the books of a filter: what it has used, and what it may still use. */
export abstract class ExchangeAccount extends FilterSpend {
  readonly account: RouteCost;
  /** Fuel its calls may still use; body bytes add to it. */
  fuelLeft: number;
  /** Host calls made for it so far, by kind; null: none that is counted. */
  tally: Tally | null = null;

  constructor(account: RouteCost, fuel: number) {
    super();
    this.account = account;
    account.opened();
    this.fuelLeft = fuel;
  }

  /** A call for it is over. */
  spent(fuel: number, us: number): void {
    this.fuelLeft -= fuel;
    this.fuelUsed += fuel;
    this.usUsed += us;
    this.account.add(fuel, us);
  }

  /** So many bytes of a body have come. */
  fed(bytes: number): void {
    this.fuelLeft += bytes * WASM_LIMITS.fuelPerBodyByte;
  }
}

export class RouteCost {
  readonly route: string;
  exchanges = 0;
  fuel = 0;
  us = 0;
  traps = 0;
  readonly #exchanges: Counter;
  readonly #fuel: Counter;
  readonly #us: Counter;
  readonly #traps: Counter;

  constructor(metrics: Metrics, filter: string, digest: string, route: string) {
    this.route = route;
    const labels = { filter, route, digest };
    const counter = (what: string, help: string) =>
      metrics.counter(`denim_wasm_route_${what}_total`, help, labels);
    this.#exchanges = counter("exchanges", "Exchanges Wasm filters saw, by route and module");
    this.#fuel = counter("fuel", "Fuel Wasm filters used, by route and module");
    this.#us = counter("us", "Microseconds in Wasm filters, estimated, by route and module");
    this.#traps = counter("traps", "Traps of Wasm filters, by route and module");
  }

  opened(): void {
    this.exchanges++;
    this.#exchanges.value++;
  }
  add(fuel: number, us: number): void {
    this.fuel += fuel;
    this.us += us;
    this.#fuel.value += fuel;
    this.#us.value += us;
  }
  trapped(): void {
    this.traps++;
    this.#traps.value++;
  }
}

export class RouteCosts {
  readonly #metrics: Metrics;
  readonly #filter: string;
  readonly #digest: string;
  readonly #routes = new Map<string, RouteCost>();
  #last: RouteCost | null = null;

  constructor(metrics: Metrics, filter: string, digest: string) {
    this.#metrics = metrics;
    this.#filter = filter;
    this.#digest = digest.replace("sha256:", "").slice(0, 12);
  }

  of(route: string): RouteCost {
    // Most filters serve one route, whose name is one and the same string: no need to look it up.
    if (this.#last !== null && this.#last.route === route) return this.#last;
    const known = this.#routes.get(route);
    if (known !== undefined) return this.#last = known;
    const name = this.#routes.size < ROUTES_LIMIT ? route : OTHER;
    let cost = this.#routes.get(name);
    if (cost === undefined) {
      cost = new RouteCost(this.#metrics, this.#filter, this.#digest, name);
      this.#routes.set(name, cost);
    }
    return cost;
  }

  list(): RouteCost[] {
    return [...this.#routes.values()];
  }
}
