/** One instance of a component: the only place that calls into it. */
import type { FilterContext } from "../../core/filter.ts";
import { classify, type Trap } from "../proxy_wasm/trap.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../limits.ts";
import { hostImports, type HostState } from "./imports.ts";
import type { LoadedBundle, RawInstance } from "./loaded.ts";
import type { Capabilities, FilterExports } from "./wit.ts";

export interface InstanceLimits {
  readonly fuelPerCall: number;
  readonly memoryBytes: number;
}

/** Told after every call: fuel used, microseconds taken. */
export interface CostSink {
  add(fuel: number, us: number): void;
}

export class ComponentInstance {
  /** Why it cannot be called any more. */
  dead: Trap | null = null;
  readonly state: HostState;
  readonly #raw: RawInstance | null = null;
  readonly #limits: InstanceLimits;
  readonly #budget: bigint;
  readonly #cost: CostSink;
  #inside = false;
  #nextId = 1n;

  constructor(
    loaded: LoadedBundle,
    limits: InstanceLimits,
    cost: CostSink,
    state: Omit<
      HostState,
      "exchange" | "properties" | "logLines" | "budget" | "lastLog" | "fuelLeft"
    >,
  ) {
    this.#limits = limits;
    this.#budget = BigInt(limits.fuelPerCall);
    this.#cost = cost;
    this.state = {
      ...state,
      exchange: null,
      properties: null,
      logLines: 0,
      budget: WASM_LIMITS.hostBytesPerCall,
      lastLog: "",
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

  get memoryBytes(): number {
    if (this.#raw === null) return 0;
    let bytes = 0;
    for (const memory of this.#raw.memories) bytes += memory.buffer.byteLength;
    return bytes;
  }

  /** What the filter asks for, or why it refuses the configuration. */
  configure(json: string): Capabilities | string {
    const answer = this.#enter("configure", null, json, undefined, undefined);
    return this.dead === null ? answer as Capabilities | string : this.dead.text;
  }

  /**
   * Calls `hook` for `exchange`. Null after a trap, and then `dead` says why; functions without a
   * result give undefined.
   */
  call<Hook extends Exclude<keyof FilterExports, "configure">>(
    hook: Hook,
    exchange: FilterContext,
    id: bigint,
    message: unknown,
    end: boolean | undefined,
  ): ReturnType<FilterExports[Hook]> | null {
    const answer = this.#enter(hook, exchange, id, message, end);
    return this.dead === null ? answer as ReturnType<FilterExports[Hook]> : null;
  }

  #enter(
    hook: keyof FilterExports,
    exchange: FilterContext | null,
    a: unknown,
    b: unknown,
    c: unknown,
  ): unknown {
    const raw = this.#raw;
    if (raw === null || this.dead !== null) return null;
    if (this.#inside) {
      this.state.log.error("wasm.reentered");
      return null;
    }
    for (const fuel of raw.fuels) fuel.value = this.#budget;
    this.state.exchange = exchange;
    this.state.logLines = 0;
    this.state.budget = WASM_LIMITS.hostBytesPerCall;
    this.state.lastLog = "";
    const from = this.state.clock.monotonicMs();
    let answer: unknown = null;
    this.#inside = true;
    try {
      answer = (raw.filter[hook] as (...args: unknown[]) => unknown)(a, b, c);
    } catch (error) {
      const refusal = hook === "configure" ? payloadOf(error) : null;
      if (refusal !== null) answer = refusal;
      else this.#die(error, hook);
    }
    this.#inside = false;
    this.state.exchange = null;
    this.#cost.add(this.#used(raw), (this.state.clock.monotonicMs() - from) * 1000);
    if (this.dead === null && this.memoryBytes > this.#limits.memoryBytes) {
      this.#die(new WebAssembly.RuntimeError("the memory grew over its limit"), hook);
    }
    return answer;
  }

  #used(raw: RawInstance): number {
    let used = 0n;
    for (const fuel of raw.fuels) used += this.#budget - (fuel.value as bigint);
    return Number(used);
  }

  #fuelLeft(): bigint {
    let least = this.#budget;
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
      fuelLimit: this.#limits.fuelPerCall,
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
