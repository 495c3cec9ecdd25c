/**
 * The instances of a component that waits for answers. A guest cannot be entered while it waits, so as long
 * as there may be more instances, an exchange gets one that no other exchange uses:
 *
 *   free one → a new one, up to the limit → the idle one with the fewest exchanges → a place in the queue
 */
import type { Clock } from "../../core/clock.ts";
import type { Gauge, Metrics } from "../../core/metrics.ts";
import { WASM_LIMITS } from "../limits.ts";
import type { ExchangeFacts, Payer } from "./imports.ts";
import type { ComponentInstance } from "./instance.ts";
import type { FilterExports } from "./wit.ts";

/** One call into a guest. */
export interface Task {
  readonly hook: Exclude<keyof FilterExports, "configure">;
  readonly exchange: ExchangeFacts;
  readonly id: bigint;
  readonly message: unknown;
  readonly end: boolean | undefined;
  readonly properties: Map<string, Uint8Array>;
  readonly payer: Payer;
  /** Null: the instance died, now or before. */
  answered(answer: unknown): void;
}

/** An exchange that wants an instance. */
export interface Guest {
  /** Null: there is none to be had. */
  seated(seat: Seat | null): void;
}

/** Makes one more instance; null when none may be made, or none could. */
export type MakeInstance = () => Promise<ComponentInstance | null>;

/** One instance and whom it serves: several exchanges, one call at a time. */
export class Seat {
  readonly instance: ComponentInstance;
  exchanges = 0;
  /** When an exchange last came or went; monotonic milliseconds. */
  usedMs = 0;
  #running: Task | null = null;
  readonly #waiting: Task[] = [];
  readonly #idle: () => void;

  /** `idle` is told whenever nothing runs any more. */
  constructor(instance: ComponentInstance, idle: () => void) {
    this.instance = instance;
    this.#idle = idle;
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  run(task: Task): void {
    if (this.busy) this.#waiting.push(task);
    else this.#start(task);
  }

  /** The call that runs for this exchange goes on by itself, without whom it waits for; others never begin. */
  cancel(id: bigint): void {
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      if (this.#waiting[at]!.id === id) this.#waiting.splice(at, 1);
    }
    if (this.#running?.id !== id) return;
    this.instance.state.exchange = null;
    this.instance.state.side?.cancel();
  }

  #start(task: Task): void {
    this.#running = task;
    const { hook, exchange, payer, id, message, end } = task;
    this.instance.state.properties = task.properties;
    this.instance.later(hook, exchange, payer, id, message, end, (answer) => {
      this.#running = null;
      task.answered(answer);
      // What the answer led to may have begun a call already.
      if (this.#running !== null) return;
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle();
      else this.#start(next);
    });
  }
}

export class InstancePool {
  readonly #make: MakeInstance;
  readonly #clock: Clock;
  readonly #serve = (): void => this.#idle();
  readonly #seats: Seat[] = [];
  readonly #queue: Guest[] = [];
  readonly #waiting: Gauge;
  readonly #instances: Gauge;
  #making = 0;
  #closed = false;

  constructor(make: MakeInstance, clock: Clock, metrics: Metrics, filter: string) {
    this.#make = make;
    this.#clock = clock;
    this.#instances = metrics.gauge(
      "denim_wasm_instances",
      "Instances of a Wasm filter that waits for answers",
      { filter },
    );
    this.#waiting = metrics.gauge(
      "denim_wasm_waiting",
      "Exchanges that wait for an instance of a Wasm filter",
      { filter },
    );
  }

  get memoryBytes(): number {
    return this.#seats.reduce((sum, seat) => sum + seat.instance.memoryBytes, 0);
  }

  /** A seat at once, or null: then `guest` is told later, unless it {@link leave}s before. */
  seat(guest: Guest): Seat | null | "full" {
    const free = this.#seats.find((seat) => seat.exchanges === 0 && !seat.busy);
    if (free !== undefined) return this.#take(free);
    if (this.#seats.length + this.#making < WASM_LIMITS.instances) void this.#grow();
    else {
      const idle = this.#fewest();
      if (idle !== null) return this.#take(idle);
    }
    if (this.#queue.length >= WASM_LIMITS.instanceWaiters) return "full";
    this.#queue.push(guest);
    this.#waiting.set(this.#queue.length);
    return null;
  }

  leave(guest: Guest): void {
    const at = this.#queue.indexOf(guest);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#waiting.set(this.#queue.length);
  }

  /** An exchange needs its seat no more. */
  free(seat: Seat): void {
    seat.exchanges--;
    seat.usedMs = this.#clock.monotonicMs();
    this.#idle();
  }

  /** Whether it was one of these; the dead leave the pool. */
  bury(instance: ComponentInstance): boolean {
    const at = this.#seats.findIndex((seat) => seat.instance === instance);
    if (at < 0) return false;
    this.#seats.splice(at, 1);
    this.#instances.set(this.#seats.length);
    return true;
  }

  add(instance: ComponentInstance): void {
    const seat = new Seat(instance, this.#serve);
    seat.usedMs = this.#clock.monotonicMs();
    this.#seats.push(seat);
    this.#instances.set(this.#seats.length);
    this.#idle();
  }

  close(): void {
    this.#closed = true;
    for (const guest of this.#queue.splice(0)) guest.seated(null);
    this.#seats.length = 0;
    this.#instances.set(0);
    this.#waiting.set(0);
  }

  /** Gives idle instances to those who wait, or up one that nothing has used for long. */
  #idle(): void {
    while (this.#queue.length > 0) {
      const idle = this.#fewest();
      if (idle === null) break;
      this.#queue.shift()!.seated(this.#take(idle));
    }
    this.#waiting.set(this.#queue.length);
    if (this.#seats.length > WASM_LIMITS.spareInstances) this.#trim();
  }

  #take(seat: Seat): Seat {
    seat.exchanges++;
    seat.usedMs = this.#clock.monotonicMs();
    return seat;
  }

  #fewest(): Seat | null {
    let best: Seat | null = null;
    for (const seat of this.#seats) {
      if (!seat.busy && (best === null || seat.exchanges < best.exchanges)) best = seat;
    }
    return best;
  }

  async #grow(): Promise<void> {
    this.#making++;
    const instance = await this.#make();
    this.#making--;
    if (this.#closed) return;
    if (instance !== null) return this.add(instance);
    // Nothing is there that could ever serve those who wait.
    if (this.#seats.length + this.#making > 0) return;
    for (const guest of this.#queue.splice(0)) guest.seated(null);
    this.#waiting.set(0);
  }

  #trim(): void {
    const before = this.#clock.monotonicMs() - WASM_LIMITS.spareInstanceMs;
    const old = this.#seats.find((one) => one.exchanges === 0 && !one.busy && one.usedMs < before);
    if (old !== undefined) this.bury(old.instance);
  }
}
