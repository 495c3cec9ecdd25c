/** One instance of a component: the only place that calls into it. */
import { classify, type Trap } from "../proxy_wasm/trap.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../limits.ts";
import { clearTally, newTally } from "../quota.ts";
import { type ExchangeFacts, hostImports, type HostState, type Payer } from "./imports.ts";
import type { LoadedBundle, RawInstance } from "./loaded.ts";
import type { Capabilities, FilterExports } from "./wit.ts";

export interface InstanceLimits {
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
  readonly fuelPerRequest: number;
}

/** Told after every call: fuel used, microseconds taken. */
export interface CostSink {
  add(fuel: number, us: number): number;
}

/** The filter's own limit a call ran under, and that of its exchange. */
interface Budget {
  readonly fuel: bigint;
  /** What ran out when `fuel` did is what the exchange may use in all. */
  readonly ofExchange: boolean;
}

export class ComponentInstance {
  /** Why it cannot be called any more. */
  dead: Trap | null = null;
  readonly state: HostState;
  /** Of the last call: the function entered, and fuel used. */
  entered = "";
  fuelUsed = 0;
  readonly #raw: RawInstance | null = null;
  readonly #limits: InstanceLimits;
  readonly #budget: bigint;
  readonly #own: Budget;
  #running: Budget;
  readonly #cost: CostSink;
  #inside = false;
  #nextId = 1n;
  /** Since when the guest runs, and what it had run before it began to wait; milliseconds. */
  #sinceMs = 0;
  #ranMs = 0;

  constructor(
    loaded: LoadedBundle,
    limits: InstanceLimits,
    cost: CostSink,
    state: Omit<
      HostState,
      | "exchange"
      | "properties"
      | "asked"
      | "tally"
      | "payer"
      | "budget"
      | "lastLog"
      | "suspended"
      | "fuelLeft"
    >,
  ) {
    this.#limits = limits;
    this.#budget = BigInt(limits.fuelPerCall);
    this.#own = this.#running = { fuel: this.#budget, ofExchange: false };
    this.#cost = cost;
    this.state = {
      ...state,
      exchange: null,
      properties: null,
      tally: newTally(),
      asked: [],
      payer: null,
      budget: WASM_LIMITS.hostBytesPerCall,
      lastLog: "",
      suspended: (on) => this.#suspended(on),
      fuelLeft: () => this.#fuelLeft(),
    };
    try {
      this.#raw = loaded.instantiate(hostImports(this.state));
    } catch (error) {
      this.#die(error, "(start)");
    }
  }

  /** Never 0 and never used twice. */
  newId(): bigint {
    return this.#nextId++;
  }

  /** To the last call. */
  get fuelGiven(): number {
    return Number(this.#running.fuel);
  }

  get memoryBytes(): number {
    if (this.#raw === null) return 0;
    let bytes = 0;
    for (const memory of this.#raw.memories) bytes += memory.buffer.byteLength;
    return bytes;
  }

  /** What the filter asks for, or why it refuses the configuration. */
  configure(json: string): Capabilities | string {
    const answer = this.#enter("configure", null, null, json, undefined, undefined);
    return this.dead === null ? answer as Capabilities | string : this.dead.text;
  }

  /** The same for a component whose functions give promises. */
  async configureLater(json: string): Promise<Capabilities | string> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.later("configure", null, null, json, undefined, undefined, resolve);
    const answer = await promise;
    return this.dead === null ? answer as Capabilities | string : this.dead.text;
  }

  /**
   * Calls `hook` of a component whose functions give promises, one at a time: `done` gets its answer, null
   * after a trap. Fuel and host work are those of one call, however often it waits for others meanwhile.
   */
  later(
    hook: keyof FilterExports,
    exchange: ExchangeFacts | null,
    payer: Payer | null,
    a: unknown,
    b: unknown,
    c: unknown,
    done: (answer: unknown) => void,
  ): void {
    const raw = this.#begin(hook, exchange, payer);
    if (raw === null) return done(null);
    const failed = (error: unknown): void => done(this.#left(raw, hook, this.#caught(error, hook)));
    try {
      const promise = (raw.filter[hook] as (...args: unknown[]) => Promise<unknown>)(a, b, c);
      promise.then((answer) => done(this.#left(raw, hook, answer ?? null)), failed);
    } catch (error) {
      failed(error);
    }
  }

  /**
   * Calls `hook` for `exchange`. Null after a trap, and then `dead` says why; functions without a
   * result give undefined.
   */
  call<Hook extends Exclude<keyof FilterExports, "configure">>(
    hook: Hook,
    exchange: ExchangeFacts,
    id: bigint,
    message: unknown,
    end: boolean | undefined,
    payer: Payer | null = null,
  ): ReturnType<FilterExports[Hook]> | null {
    const answer = this.#enter(hook, exchange, payer, id, message, end);
    return this.dead === null ? answer as ReturnType<FilterExports[Hook]> : null;
  }

  #enter(
    hook: keyof FilterExports,
    exchange: ExchangeFacts | null,
    payer: Payer | null,
    a: unknown,
    b: unknown,
    c: unknown,
  ): unknown {
    const raw = this.#begin(hook, exchange, payer);
    if (raw === null) return null;
    let answer: unknown = null;
    try {
      answer = (raw.filter[hook] as (...args: unknown[]) => unknown)(a, b, c);
    } catch (error) {
      answer = this.#caught(error, hook);
    }
    return this.#left(raw, hook, answer);
  }

  /** Null: it cannot be called. */
  #begin(
    hook: keyof FilterExports,
    exchange: ExchangeFacts | null,
    payer: Payer | null,
  ): RawInstance | null {
    const raw = this.#raw;
    if (raw === null || this.dead !== null) return null;
    if (this.#inside) {
      this.state.log.error("wasm.reentered");
      return null;
    }
    const running = this.#running = this.#budgetOf(hook, payer);
    for (const fuel of raw.fuels) fuel.value = running.fuel;
    this.state.exchange = exchange;
    this.state.payer = payer;
    clearTally(this.state.tally);
    this.state.asked.length = 0;
    this.entered = hook;
    this.state.budget = WASM_LIMITS.hostBytesPerCall;
    this.state.lastLog = "";
    this.#ranMs = 0;
    this.#sinceMs = this.state.clock.monotonicMs();
    this.#inside = true;
    return raw;
  }

  #caught(error: unknown, hook: keyof FilterExports): string | null {
    const refusal = hook === "configure" ? payloadOf(error) : null;
    if (refusal === null) this.#die(error, hook);
    return refusal;
  }

  #left(raw: RawInstance, hook: keyof FilterExports, answer: unknown): unknown {
    this.#inside = false;
    this.state.exchange = null;
    const used = this.fuelUsed = this.#used(raw);
    const { payer } = this.state;
    const ms = this.#ranMs + this.state.clock.monotonicMs() - this.#sinceMs;
    const us = this.#cost.add(used, ms * 1000);
    if (payer !== null) payer.spent(used, us);
    if (this.dead === null && this.memoryBytes > this.#limits.memoryBytes) {
      this.#die(new WebAssembly.RuntimeError("the memory grew over its limit"), hook);
    }
    return answer;
  }

  /** The farewell to an exchange has the fuel of any call. */
  #budgetOf(hook: keyof FilterExports, payer: Payer | null): Budget {
    if (payer === null || hook === "onEnd" || payer.fuelLeft >= this.#limits.fuelPerCall) {
      return this.#own;
    }
    return { fuel: BigInt(Math.max(0, Math.trunc(payer.fuelLeft))), ofExchange: true };
  }

  #suspended(on: boolean): void {
    const now = this.state.clock.monotonicMs();
    if (on) this.#ranMs += now - this.#sinceMs;
    else this.#sinceMs = now;
  }

  #used(raw: RawInstance): number {
    let used = 0n;
    for (const fuel of raw.fuels) used += this.#running.fuel - (fuel.value as bigint);
    return Number(used);
  }

  #fuelLeft(): bigint {
    let least = this.#running.fuel;
    for (const fuel of this.#raw?.fuels ?? []) {
      if ((fuel.value as bigint) < least) least = fuel.value as bigint;
    }
    return least;
  }

  #die(error: unknown, entry: string): void {
    const bytes = this.memoryBytes;
    this.dead = classify(error, {
      entry,
      outOfFuel: this.#fuelLeft() < 0n,
      fuelLimit: this.fuelGiven,
      fuelPerRequest: this.#running.ofExchange ? this.#limits.fuelPerRequest : 0,
      memoryFull: bytes + PAGE_BYTES > this.#limits.memoryBytes,
      memoryBytes: this.#limits.memoryBytes,
      lastLog: this.state.lastLog,
    });
  }
}

/** The error of a WIT result: what the filter itself said, as opposed to a trap. */
function payloadOf(error: unknown): string | null {
  const payload = (error as { payload?: unknown } | null)?.payload;
  return typeof payload === "string" ? payload : null;
}
