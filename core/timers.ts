/**
 * One hashed wheel for all timeouts of a process: arming and disarming is a few pointer writes,
 * where a runtime timer costs about a microsecond.
 *
 *   slots:  [0] ⇄ a ⇄ b    [1]    [2] ⇄ c   …      one slot = tickMs; an entry further away than
 *                                                   one turn waits `turns` more rounds
 */
import type { Clock } from "./clock.ts";

const SLOTS = 512;
const NOT_ARMED = -1, DUE = -2;

/** Something that can be armed on a wheel; one object serves many arms, one at a time. */
export abstract class Expires {
  /** @internal */ prev: Expires | null = null;
  /** @internal */ next: Expires | null = null;
  /** @internal */ turns = 0;
  /** @internal */ slot = NOT_ARMED;
  /** Called once, at least the armed time later and at most one tick after that. */
  abstract expired(): void;
}

export class Wheel {
  readonly tickMs: number;
  readonly #heads: (Expires | null)[] = new Array(SLOTS).fill(null);
  readonly #clock: Clock;
  readonly #due: Expires[] = []; // collected first: an expiry may arm or disarm its neighbours
  #cursor = 0;
  #armed = 0;
  #lastMs: number;
  #timer: ReturnType<typeof setInterval> | null = null;
  readonly #drive: boolean;

  /** `drive: false` leaves turning to {@link advance}: tests own the time. */
  constructor(clock: Clock, options: { tickMs?: number; drive?: boolean } = {}) {
    this.#clock = clock;
    this.tickMs = options.tickMs ?? 10;
    this.#drive = options.drive ?? true;
    this.#lastMs = clock.monotonicMs();
  }

  /** How many entries wait. */
  get armed(): number {
    return this.#armed;
  }

  /** Arms `entry` to expire in `ms`; arming an armed entry moves it. */
  arm(entry: Expires, ms: number): void {
    if (entry.slot >= 0) this.disarm(entry);
    if (this.#armed === 0) this.#lastMs = this.#clock.monotonicMs();
    const behind = this.#clock.monotonicMs() - this.#lastMs;
    // One tick more than asked, because the current slot may be about to be swept.
    const ticks = Math.max(1, Math.ceil((ms + behind) / this.tickMs));
    entry.turns = Math.floor((ticks - 1) / SLOTS);
    const slot = (this.#cursor + ticks) % SLOTS;
    entry.slot = slot;
    entry.prev = null;
    entry.next = this.#heads[slot] ?? null;
    if (entry.next !== null) entry.next.prev = entry;
    this.#heads[slot] = entry;
    this.#armed++;
    if (this.#drive && this.#timer === null) {
      this.#timer = setInterval(() => this.advance(), this.tickMs);
      Deno.unrefTimer(this.#timer);
    }
  }

  /** Disarms; harmless when not armed. */
  disarm(entry: Expires): void {
    if (entry.slot < 0) return void (entry.slot = NOT_ARMED);
    if (entry.prev !== null) entry.prev.next = entry.next;
    else this.#heads[entry.slot] = entry.next;
    if (entry.next !== null) entry.next.prev = entry.prev;
    entry.prev = entry.next = null;
    entry.slot = NOT_ARMED;
    this.#armed--;
  }

  /** Expires everything that is due by the clock. */
  advance(): void {
    const now = this.#clock.monotonicMs();
    while (now - this.#lastMs >= this.tickMs) {
      this.#lastMs += this.tickMs;
      this.#cursor = (this.#cursor + 1) % SLOTS;
      this.#sweep(this.#cursor);
    }
    if (this.#armed === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  /** Stops the driver; armed entries stay armed and silent. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #sweep(slot: number): void {
    const due = this.#due;
    for (let entry = this.#heads[slot] ?? null; entry !== null;) {
      const next: Expires | null = entry.next;
      if (entry.turns > 0) entry.turns--;
      else {
        this.disarm(entry);
        entry.slot = DUE;
        due.push(entry);
      }
      entry = next;
    }
    for (const entry of due) {
      if (entry.slot !== DUE) continue; // an earlier expiry of this sweep disarmed or re-armed it
      entry.slot = NOT_ARMED;
      entry.expired();
    }
    due.length = 0;
  }
}
