/**
 * One instance of a Proxy-Wasm module: the only place that calls into a guest.
 *
 *   enter() ─▶ guest ─▶ host calls (change maps with undo, note effects)
 *      │◀──────── return: changes stay · exception: changes are taken back, the instance is dead
 *      └─▶ the caller applies the effects; only then may anything call a guest again
 */
import type { AbiVersion } from "./abi.ts";
import { type Answer, NO_ANSWER } from "./answer.ts";
import type { StreamContext } from "./context.ts";
import { Contexts } from "./contexts.ts";
import {
  abiOf,
  allocatorOf,
  functionOf,
  type Guest,
  type GuestFunction,
  guestOf,
} from "./guest.ts";
import type { HeaderMap, Undo } from "./headers.ts";
import { linkImports } from "./link.ts";
import { GuestMemory, HostBudgetError } from "./memory.ts";
import { CallRing } from "./call_ring.ts";
import { classify, GuestExit, TooSlow, type Trap } from "./trap.ts";
import { FUEL_EXPORT } from "../instrument.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../limits.ts";
import { clearTally, newTally, type QuotaKind } from "../quota.ts";
import type { CompiledModule } from "../module.ts";
import type { PluginHost } from "./host.ts";

const NO_MEMORY = new WebAssembly.Memory({ initial: 0, maximum: 0 });

/** One call in so many is timed: reading the clock twice costs 0.2 µs, as much as a small callback. Heavy ones all are. */
const TIMED_EVERY = 16;

/** Something a host call asked for that may lead back into the guest, so that it has to wait. */
export interface Effect {
  /** The call into the guest that asked for it is over. */
  run(): void;
}

/** A request of the guest's own. */
export interface OwnCall {
  readonly bytes: number;
  /** Nobody waits for the answer any more: nothing of it reaches the guest. */
  forget(): void;
  /** The stream that waited for it is gone. */
  abandon(): void;
}

export class Vm implements Undo {
  readonly host: PluginHost;
  readonly abi: AbiVersion;
  readonly contexts: Contexts<StreamContext> = new Contexts();
  /** Streams for which host calls noted effects in the running or last call. */
  touched: StreamContext[] = [];
  /** What else the running or last call asked for, in its order. */
  effects: Effect[] = [];
  /** Requests of the guest's own that are under way, by the number it knows them by. */
  readonly calls: Map<number, OwnCall> = new Map();
  callBytes = 0;
  /** What the running callback is about, when that is an answer. */
  answer: Answer = NO_ANSWER;
  guest: Guest = guestOf({});
  memory: GuestMemory = new GuestMemory(NO_MEMORY, null);
  dead: Trap | null = null;
  /** The host calls of the running or last call. */
  readonly ring: CallRing = new CallRing(() => {
    this.drain();
    throw new HostBudgetError(`More than ${WASM_LIMITS.hostCallsPerCall} host calls in one call`);
  });
  /** Of the call that trapped: the callback entered, fuel used and given. */
  trapEntry = "";
  trapFuel = 0;
  trapLimit = 0;
  rootId = 0;
  /** The stream the running call is for, then what proxy_set_effective_context made of it. */
  current: StreamContext | null = null;
  effective: StreamContext | null = null;
  /** What the guest last logged while it was configured. */
  refusal = "";
  /** Between on_vm_start/on_configure and ready: what proxy_get_configuration means depends on it. */
  configuring = false;
  tickMs = 0;
  /** It has registered a queue, by which something may reach it at any time. */
  hasQueue = false;
  /** The root's on_done said "not yet". */
  finishing = false;
  /** The stream that pays for the running call, when that is the root's. */
  payer: StreamContext | null = null;
  /** The last line logged in the running call: often the guest's own word on what went wrong. */
  lastLog = "";
  readonly #compiled: CompiledModule;
  #exports: WebAssembly.Exports = {};
  #fuel: WebAssembly.Global | null = null;
  #memoryMax = 0;
  #memorySize = 0;
  #inside = false;
  #nextCall = 1;
  #calls = 0;
  /** The last call used much fuel. */
  #heavy = false;
  #dirty: HeaderMap[] = [];
  #exitCode = -1;
  /** Fuel that was left when the running call was drained; -1n: it was not. */
  #drained = -1n;
  /** What is left for all calls until the instance is ready, and whether it is not yet. */
  #startLeft: bigint;
  #starting = true;
  readonly #budget: bigint;
  readonly #fuelPerCall: number;
  /** Host calls of the running call, by kind, and whether there were any. */
  readonly #tally = newTally();
  #tallied = false;
  #tickChanged = false;

  /** Instantiates; a start function that fails leaves a dead Vm. Throws when imports cannot be linked. */
  constructor(compiled: CompiledModule, host: PluginHost) {
    this.host = host;
    this.#compiled = compiled;
    this.#budget = BigInt(host.limits.fuelPerCall);
    this.#startLeft = BigInt(host.limits.startFuel);
    this.#fuelPerCall = host.limits.fuelPerCall;
    this.abi = abiOf(compiled.exports) ?? "0.2.1";
    const imports = linkImports(compiled, this);
    try {
      const instance = new WebAssembly.Instance(compiled.module, imports);
      this.#exports = instance.exports;
    } catch (error) {
      if (error instanceof WebAssembly.LinkError) throw error;
      this.#die(error, "(start)", this.#startLeft);
      return;
    }
    this.#adopt();
  }

  /** A number no other context of this instance has. */
  newId(): number {
    return this.contexts.newId();
  }

  /** Takes a call into the books; the number the guest will know it by, 0: it has too many. */
  opened(call: OwnCall): number {
    if (this.calls.size >= this.host.limits.sideCallsInFlight) {
      this.host.overLimit("sideCallsInFlight");
      return 0;
    }
    if (this.callBytes + call.bytes > WASM_LIMITS.callBytes) return 0;
    let id = this.#nextCall;
    while (this.calls.has(id)) id = next(id);
    this.#nextCall = next(id);
    this.calls.set(id, call);
    this.callBytes += call.bytes;
    return id;
  }

  /** Takes it out again; false: it was not there any more. */
  closed(id: number): boolean {
    const call = this.calls.get(id);
    if (call === undefined) return false;
    this.calls.delete(id);
    this.callBytes -= call.bytes;
    return true;
  }

  /** Bytes of linear memory in use. */
  get memoryBytes(): number {
    return this.#memorySize;
  }

  /** Runs the module's own initialisation, then start and configure of the plugin. False: not usable. */
  start(): boolean {
    if (this.dead !== null) return false;
    const initialize = functionOf(this.#exports, "_initialize");
    if (initialize !== undefined) {
      this.#init(initialize, "_initialize");
      const main = functionOf(this.#exports, "main") ?? functionOf(this.#exports, "__main_void");
      if (main !== undefined) this.#init(main, "main");
    } else {
      const start = functionOf(this.#exports, "_start");
      if (start !== undefined) this.#init(start, "_start");
    }
    if (this.dead !== null) return false;
    this.rootId = this.newId();
    const { guest, rootId, host } = this;
    this.#startCall(guest.onContextCreate, 0, rootId, 0);
    if (this.#startCall(guest.onVmStart, 1, rootId, 0) === 0 || this.dead !== null) return false;
    this.configuring = true;
    const accepted = this.#startCall(guest.onConfigure, 1, rootId, host.config.length);
    this.configuring = false;
    this.#starting = false;
    this.refusal = this.lastLog;
    return this.dead === null && accepted !== 0;
  }

  /**
   * Calls into the guest for `stream` (null: the root). Never throws: after a trap `dead` is set and
   * 0 comes back. `absent` is the answer of a callback the module does not have.
   */
  enter(
    fn: GuestFunction | undefined,
    stream: StreamContext | null,
    absent: number,
    a: number,
    b: number,
    c: number,
    d = 0,
    e = 0,
  ): number {
    if (fn === undefined || this.dead !== null) return absent;
    return this.#call(fn, stream, this.#budgetOf(stream ?? this.payer), a, b, c, d, e);
  }

  /** Counts a host call that has a quota; false: it is over, and answers with an error. */
  may(kind: QuotaKind): boolean {
    const stream = this.effective ?? this.payer;
    const request = stream === null ? null : stream.tally ??= newTally();
    this.#tallied = true;
    const over = this.host.quotas.take(kind, this.#tally, request);
    if (over === null) return true;
    this.host.overLimit(over);
    return false;
  }

  /** Ticks are set when the call is over: deep in a guest's stack nothing of the proxy's may be begun. */
  setTick(ms: number): void {
    this.tickMs = ms;
    this.#tickChanged = true;
  }

  #budgetOf(stream: StreamContext | null): bigint {
    if (stream === null || stream.ended || stream.fuelLeft >= this.#fuelPerCall) {
      return this.#budget;
    }
    return BigInt(Math.max(0, Math.trunc(stream.fuelLeft)));
  }

  changed(map: HeaderMap): void {
    this.#dirty.push(map);
  }

  /** A host call changed what the exchange of `stream` will do: somebody must look when the call is over. */
  touch(stream: StreamContext): void {
    if (!this.touched.includes(stream)) this.touched.push(stream);
  }

  #call(
    fn: GuestFunction,
    stream: StreamContext | null,
    budget: bigint,
    a: number,
    b: number,
    c: number,
    d: number,
    e: number,
  ): number {
    if (this.#inside) {
      // Guests are not built for it: Rust's would panic and die, others would corrupt themselves.
      this.host.log.error("wasm.reentered");
      return 0;
    }
    const fuel = this.#fuel;
    if (fuel !== null) fuel.value = budget;
    this.memory.budget = WASM_LIMITS.hostBytesPerCall;
    if (this.#tallied) {
      clearTally(this.#tally);
      this.#tallied = false;
    }
    this.ring.begin();
    this.lastLog = "";
    this.current = stream;
    this.effective = stream;
    const timed = this.#heavy || this.#calls++ % TIMED_EVERY === 0;
    const from = timed ? this.host.clock.monotonicMs() : 0;
    let result: unknown = 0;
    this.#inside = true;
    try {
      result = fn(a, b, c, d, e);
    } catch (error) {
      this.#die(error, nameOf(this.#exports, fn), budget);
    }
    this.#inside = false;
    if (fuel !== null && this.#drained >= 0n) {
      fuel.value = this.#drained;
      this.#drained = -1n;
    }
    const used = fuel === null ? 0 : Number(budget - (fuel.value as bigint));
    const payer = stream ?? this.payer;
    this.host.bucket.take(used);
    const ms = timed ? this.host.clock.monotonicMs() - from : -1;
    const us = this.host.cost.add(used, ms * 1000);
    if (payer !== null) payer.spent(used, us);
    this.trapFuel = used;
    this.#heavy = used > WASM_LIMITS.heavyFuel;
    if (ms > WASM_LIMITS.heavyCallMs && this.#heavy && !this.#starting) {
      this.#die(new TooSlow(ms), nameOf(this.#exports, fn), budget);
    }
    this.#settle();
    // A module may declare any result, and none at all; what is no number is no answer.
    return typeof result === "number" ? result | 0 : 0;
  }

  /**
   * Leaves the running call no fuel: a guest can catch what a host call throws, and must not go on when
   * that was meant to end it.
   */
  drain(): void {
    if (this.#fuel === null || (this.#fuel.value as bigint) < 0n) return;
    this.#drained = this.#fuel.value as bigint;
    this.#fuel.value = -1n;
  }

  /** Keeps or takes back what the call changed, and looks how far its memory has grown. */
  #settle(): void {
    const dirty = this.#dirty;
    if (dirty.length > 0) {
      for (const map of dirty) this.dead === null ? map.commit() : map.rollback();
      dirty.length = 0;
    }
    if (this.dead !== null) this.effects = [];
    if (this.#tickChanged) {
      this.#tickChanged = false;
      if (this.dead === null) this.host.tickChanged(this);
    }
    this.#memorySize = this.memory.size;
    if (this.#memorySize > this.host.limits.memoryBytes && this.dead === null) {
      const grown = new WebAssembly.RuntimeError("the memory grew over its limit");
      this.#die(grown, "memory", this.#budget);
    }
  }

  #startCall(fn: GuestFunction | undefined, absent: number, a: number, b: number): number {
    if (fn === undefined || this.dead !== null) return absent;
    return this.#starts(fn, a, b);
  }

  /** A call on what the start as a whole may use. */
  #starts(fn: GuestFunction, a: number, b: number): number {
    const result = this.#call(fn, null, this.#startLeft, a, b, 0, 0, 0);
    const left = this.#fuel === null ? 0n : this.#fuel.value as bigint;
    this.#startLeft = left < 0n ? 0n : left;
    return result;
  }

  #init(fn: GuestFunction, name: string): void {
    if (this.dead !== null) return;
    this.#starts(fn, 0, 0);
    // A command's _start ends by proc_exit(0): that is a good end.
    if (name === "_start" && this.#exitCode === 0) this.dead = null;
  }

  #adopt(): void {
    const exports = this.#exports;
    this.guest = guestOf(exports);
    const { memory } = exports;
    if (!(memory instanceof WebAssembly.Memory)) {
      const none = new Error('The module exports no memory named "memory"');
      this.#die(none, "(exports)", this.#startLeft);
      return;
    }
    this.memory = new GuestMemory(memory, allocatorOf(exports), () => this.drain());
    this.#memoryMax = Math.min(this.host.limits.memoryBytes, this.#compiled.memoryMaxBytes);
    this.#memorySize = this.memory.size;
    if (this.#memorySize > this.#memoryMax) {
      const text = `The module starts with ${this.#memorySize} bytes of memory`;
      const over = new Error(`${text}; its limit is ${this.#memoryMax}`);
      this.#die(over, "(memory)", this.#startLeft);
      return;
    }
    const fuel = exports[FUEL_EXPORT];
    if (fuel instanceof WebAssembly.Global) {
      this.#fuel = fuel;
      const left = fuel.value as bigint; // a start function has used some
      if (left < this.#startLeft) this.#startLeft = left < 0n ? 0n : left;
    } else this.#die(new Error("The module is not metered"), "(exports)", this.#startLeft);
  }

  #die(error: unknown, entry: string, budget: bigint): void {
    if (error instanceof GuestExit) this.#exitCode = error.code;
    this.trapEntry = entry;
    this.trapLimit = Number(budget);
    const left = this.#fuel === null ? 0n : this.#fuel.value as bigint;
    this.dead = classify(error, {
      entry,
      outOfFuel: left < 0n,
      fuelLimit: Number(budget),
      fuelPerRequest: budget < this.#budget ? this.host.limits.fuelPerRequest : 0,
      memoryFull: this.#memoryMax > 0 && this.memory.size + PAGE_BYTES > this.#memoryMax,
      memoryBytes: this.#memoryMax,
      lastLog: this.lastLog,
    });
  }
}

/** Numbers of calls stay positive: some SDKs keep them in signed ones. */
function next(id: number): number {
  return id >= 0x7fff_ffff ? 1 : id + 1;
}

function nameOf(exports: WebAssembly.Exports, fn: GuestFunction): string {
  for (const [name, value] of Object.entries(exports)) if (value === fn) return name;
  return "(guest)";
}
