/** One bound filter in one proxy: its instance and the next, its ticks, what it keeps and what it costs. */
import type { Calls } from "../../core/calls.ts";
import type { Random } from "../../core/clock.ts";
import { type FilterContext, type FilterPlace, REQUEST, RESPONSE } from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Expires, type Wheel } from "../../core/timers.ts";
import { BoundFilter, type BoundOptions } from "../bound_filter.ts";
import { WASM_LIMITS } from "../limits.ts";
import type { CompiledModule } from "../module.ts";
import type { Permits } from "../permissions.ts";
import { inputOf, type TrapReport } from "../trap_report.ts";
import { EMPTY, StreamContext } from "./context.ts";
import type { PluginHost, PluginLimits, Upstream } from "./host.ts";
import { LogShare } from "./log_share.ts";
import type { SharedData } from "./shared_data.ts";
import type { QueueOwner, SharedQueues } from "./shared_queues.ts";
import { type Effect, Vm } from "./vm.ts";

export interface PluginOptions extends BoundOptions {
  /** Names the module may know its root context by, the likeliest first. */
  readonly rootNames: readonly string[];
  readonly config: Uint8Array;
  readonly capabilities: ReadonlySet<string>;
  readonly permits: Permits;
  /** Told of every trap. */
  readonly trapped?: (report: Omit<TrapReport, "id">) => void;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** By which the guest asks others while it starts. */
  readonly calls: Calls;
  readonly limits: PluginLimits;
  readonly failOpen: boolean;
  /** Its streams are connections, not exchanges of HTTP. */
  readonly network: boolean;
  /** Whose ways hold where hosts differ. */
  readonly compat: "envoy" | "higress";
  /** Outlives the plugin: the next version of the same binding goes on with it. */
  readonly shared: SharedData;
  readonly queues: SharedQueues;
  /** What other bindings of the namespace know it by; "" when it shares nothing. */
  readonly vmId: string;
  readonly wheel: Wheel;
  readonly random: Random;
}

class Ticker extends Expires {
  readonly #plugin: Plugin;
  constructor(plugin: Plugin) {
    super();
    this.#plugin = plugin;
  }
  override expired(): void {
    this.#plugin.tick();
  }
}

class QueueReady implements Effect {
  readonly #plugin: Plugin;
  readonly #id: number;
  constructor(plugin: Plugin, id: number) {
    this.#plugin = plugin;
    this.#id = id;
  }
  run(): void {
    this.#plugin.tellOfQueue(this.#id);
  }
}

export class Plugin extends BoundFilter<PluginLimits> implements PluginHost, QueueOwner {
  readonly options: PluginOptions;
  readonly compiled: CompiledModule;
  readonly shared: SharedData;
  rootName = "";
  refused = "";
  #vm: Vm | null = null;
  #closed = false;
  /** The last start failed as one does that does not find its root context. */
  #namesMayDiffer = false;
  readonly #logShare: LogShare;
  readonly #ticker = new Ticker(this);
  /** An answer may come at any time, and not only to the stream that asked. */
  readonly #mayAsk: boolean;
  #posted: Effect[] = [];
  #last: LastWords | null = null;
  #busy = false;

  constructor(compiled: CompiledModule, options: PluginOptions) {
    super(options, options.limits, options.calls);
    this.compiled = compiled;
    this.options = options;
    this.shared = options.shared;
    const { capabilities, upstreams } = options;
    const asks = capabilities.has("http-call") || capabilities.has("grpc-call");
    this.#mayAsk = asks && upstreams.size > 0;
    this.#logShare = new LogShare(options.clock, options.log);
  }

  get config(): Uint8Array {
    return this.options.config;
  }
  get capabilities(): ReadonlySet<string> {
    return this.options.capabilities;
  }
  get permits(): Permits {
    return this.options.permits;
  }
  get random(): Random {
    return this.options.random;
  }
  get memoryBytes(): number {
    return this.#vm === null ? 0 : this.#vm.memoryBytes;
  }

  /**
   * Starts the first instance with the configuration; null when it is in force, else why not. Some
   * SDKs look their root context up by name and exit when there is none of it: each name is tried.
   */
  start(): string | null {
    let reason: string | null = null;
    for (const name of this.options.rootNames) {
      this.rootName = name;
      const failure = this.#instantiate();
      if (failure === null) return null;
      reason ??= failure;
      if (!this.#namesMayDiffer) break;
    }
    return reason ?? "no root name was given";
  }

  /** A stream context for an exchange; null while no instance may run. */
  open(exchange: FilterContext, place: FilterPlace | null): StreamContext | null {
    if (this.throttled()) return null;
    const vm = this.#current();
    if (vm === null || vm.contexts.size >= WASM_LIMITS.streams) return null;
    const stream = new StreamContext(vm.newId(), vm, exchange, place);
    vm.contexts.add(stream);
    vm.enter(vm.guest.onContextCreate, stream, 0, stream.id, vm.rootId, 0);
    return stream;
  }

  /** Whether anything but the exchange's own body could wake a paused stream. */
  canWake({ vm }: StreamContext): boolean {
    return vm.tickMs > 0 || vm.hasQueue || this.#mayAsk;
  }

  /** To be called after every call into a guest: buries a dead instance, applies effects on other streams than `own`. */
  settle(vm: Vm, own: StreamContext | null): void {
    if (vm.dead !== null && vm === this.#vm) this.#bury(vm, own);
    if (vm.effects.length > 0) this.#run(vm);
    if (vm.touched.length === 0) return;
    const touched = vm.touched;
    vm.touched = [];
    for (const stream of touched) if (stream !== own) this.#apply(stream);
  }

  /** One after the other, and none of them leads back into the guest before all have been begun. */
  #run(vm: Vm): void {
    const { effects } = vm;
    vm.effects = [];
    const busy = this.#busy;
    this.#busy = true;
    for (const effect of effects) effect.run();
    this.#busy = busy;
  }

  get busy(): boolean {
    return this.#busy;
  }

  post(effect: Effect): void {
    this.#posted.push(effect);
    if (this.#posted.length === 1) queueMicrotask(this.#deliver);
  }

  readonly #deliver = (): void => {
    const posted = this.#posted;
    this.#posted = [];
    for (const effect of posted) effect.run();
  };

  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.options.upstreams;
  }

  protected get upstreamHint(): string {
    return "name it in upstreams of the FilterBinding";
  }

  get network(): boolean {
    return this.options.network;
  }
  get queues(): SharedQueues {
    return this.options.queues;
  }
  get vmId(): string {
    return this.options.vmId;
  }

  queueReady(id: number): void {
    this.post(new QueueReady(this, id));
  }

  /** Tells the instance that runs now. */
  tellOfQueue(id: number): void {
    const vm = this.#vm;
    if (vm === null) return;
    vm.enter(vm.guest.onQueueReady, null, 0, vm.rootId, id, 0);
    this.settle(vm, null);
  }

  tick(): void {
    const vm = this.#vm;
    if (vm === null || vm.tickMs === 0) return;
    if (this.bucket.empty) {
      this.overLimit("fuelPerSecond");
      return this.tickChanged(vm);
    }
    vm.enter(vm.guest.onTick, null, 0, vm.rootId, 0, 0);
    this.settle(vm, null);
    if (vm === this.#vm) this.tickChanged(vm);
  }

  tickChanged(vm: Vm): void {
    const { wheel } = this.options;
    if (vm.tickMs === 0 || this.#closed || vm.guest.onTick === undefined) {
      wheel.disarm(this.#ticker);
    } else wheel.arm(this.#ticker, vm.tickMs);
  }

  mayLog(): boolean {
    return this.#logShare.take();
  }

  /** No exchange uses the plugin any more. */
  close(): void {
    const vm = this.#vm;
    this.#closed = true;
    this.#vm = null;
    this.options.wheel.disarm(this.#ticker);
    this.queues.leave(this);
    if (vm === null) return;
    if (vm.enter(vm.guest.onDone, null, 1, vm.rootId, 0, 0) !== 0) return bury(vm);
    // It has something to bring to an end first: answers still reach it, for so long.
    vm.finishing = true;
    this.settle(vm, null);
    this.#last = new LastWords(vm);
    if (vm.finishing) this.options.wheel.arm(this.#last, WASM_LIMITS.doneMs);
  }

  rootDone(vm: Vm): void {
    if (!vm.finishing) return;
    vm.finishing = false;
    if (this.#last !== null) this.options.wheel.disarm(this.#last);
    bury(vm);
  }

  #current(): Vm | null {
    if (this.#vm !== null) return this.#vm;
    if (this.#closed || !this.restart.mayStart(this.clock.monotonicMs())) return null;
    const failure = this.#instantiate();
    if (failure === null) {
      this.log.info("wasm.restarted", { traps: this.traps });
      return this.#vm;
    }
    this.trapped(failure);
    return null;
  }

  #instantiate(): string | null {
    let vm: Vm;
    try {
      vm = new Vm(this.compiled, this);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    if (!vm.start()) {
      this.options.wheel.disarm(this.#ticker);
      this.#namesMayDiffer = vm.dead === null || vm.dead.kind === "exit" || vm.dead.kind === "trap";
      if (vm.dead !== null) return vm.dead.text;
      const said = vm.refusal === "" ? "" : `: ${vm.refusal}`;
      return `the module refused its configuration${said}`;
    }
    vm.touched = [];
    this.#vm = vm;
    this.#run(vm);
    this.restart.started(this.clock.monotonicMs());
    this.tickChanged(vm);
    return null;
  }

  /** The instance is lost; streams that wait for it would wait for ever. */
  #bury(vm: Vm, own: StreamContext | null): void {
    this.#vm = null;
    this.options.wheel.disarm(this.#ticker);
    const { failOpen } = this.options;
    this.countTrap(vm.dead!.kind);
    this.trapped(vm.dead!.text);
    this.#report(vm, vm.current ?? vm.effective);
    hangUp(vm);
    for (const stream of vm.contexts.values()) {
      if (stream === own || stream.exchange === null) continue;
      if (!stream.request.paused && !stream.response.paused) continue; // notices at its next callback
      this.bypass(stream, failOpen ? stream.exchange : null);
      if (!failOpen) stream.exchange.fail(faultOf(vm));
    }
    vm.contexts.clear();
  }

  /** Whose exchange it was for, if any, and what the guest did last. */
  #report(vm: Vm, stream: StreamContext | null): void {
    stream?.account.trapped();
    const { trapped, name, digest, clock } = this.options;
    if (trapped === undefined) return;
    const { kind, text } = vm.dead!;
    const exchange = stream?.exchange ?? null;
    trapped({
      filter: name,
      digest,
      atMs: clock.nowMs(),
      kind,
      text,
      entry: vm.trapEntry,
      fuelUsed: vm.trapFuel,
      fuelLimit: vm.trapLimit,
      memoryBytes: vm.memoryBytes,
      hostCalls: vm.ring.tell((pointer, length) => vm.memory.peek(pointer, length)),
      route: exchange?.routeName ?? "",
      backend: exchange?.backendName ?? "",
      revision: exchange?.version ?? "",
      input: exchange === null
        ? null
        : inputOf(exchange, [stream!.request.buffer, stream!.response.buffer]),
    });
  }

  /** The guest is asked no more about this stream; `exchange`, if given, goes on when it waited for it. */
  bypass(stream: StreamContext, exchange: FilterContext | null): void {
    stream.skip = true;
    const { request, response } = stream;
    const waiting = (request.paused ? REQUEST : 0) | (response.paused ? RESPONSE : 0);
    request.paused = response.paused = false;
    if (waiting !== 0 && exchange !== null) exchange.resume(waiting);
  }

  #apply(stream: StreamContext): void {
    const { exchange, local } = stream;
    if (stream.finishing) {
      stream.finish();
      this.settle(stream.vm, stream);
    }
    if (exchange === null || stream.vm.dead !== null) return;
    if (stream.reset) exchange.fail(FAULTS["wasm.reset"]);
    else if (local !== null) reply(stream, exchange);
    else {
      const resume = stream.unpause();
      if (resume !== 0) exchange.resume(resume);
    }
  }
}

/** The end of an instance that served to its end. */
function bury(vm: Vm): void {
  vm.enter(vm.guest.onDelete, null, 0, vm.rootId, 0, 0);
  vm.effects = [];
  hangUp(vm);
}

/** Ends an instance that said it was not done and then said no more. */
class LastWords extends Expires {
  readonly #vm: Vm;
  constructor(vm: Vm) {
    super();
    this.#vm = vm;
  }
  override expired(): void {
    if (!this.#vm.finishing) return;
    this.#vm.finishing = false;
    bury(this.#vm);
  }
}

/** Nobody is there any more to hear of the answers. */
function hangUp(vm: Vm): void {
  for (const call of vm.calls.values()) call.forget();
  vm.calls.clear();
  vm.callBytes = 0;
}

/** Sends the local response a guest asked for. */
export function reply(stream: StreamContext, exchange: FilterContext): void {
  const { status, fields, body, details } = stream.local!;
  stream.local = null;
  if (details !== "") stream.vm.host.log.debug("wasm.local_reply", { status, details });
  exchange.respond(status, fields, body === EMPTY || body.length === 0 ? undefined : body);
}

export function faultOf(vm: Vm): Fault {
  return FAULTS[vm.dead?.kind === "fuel" ? "wasm.out_of_fuel" : "wasm.trapped"];
}
