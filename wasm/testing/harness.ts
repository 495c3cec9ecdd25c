/** What Wasm tests share: WAT with the ABI's imports, metered modules, and one exchange driven by hand through a compiled plan. */
import { type Calls, NO_CALLS } from "../../core/calls.ts";
import { compilePlan, type FilterContext, type Plan, type Verdict } from "../../core/filter.ts";
import type { ExchangeFacts, Filter, FilterEnv, FilterPlace } from "../../core/filter.ts";
import type { Clock } from "../../core/clock.ts";
import type { Fault } from "../../core/fault.ts";
import { DONE } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import { createLog } from "../../core/log.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { Metrics } from "../../core/metrics.ts";
import { Wheel } from "../../core/timers.ts";
import { CAPABILITIES } from "../capabilities.ts";
import { makeWasmFactory, sha256 } from "../filter.ts";
import { instrument } from "../instrument.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../limits.ts";
import { type GivenPermissions, SENSITIVE_HEADERS } from "../permissions.ts";
import { WasmReports } from "../reports.ts";
import { compileWat } from "../wat.ts";

/** Parameter types of the host calls tests use; every one returns an i32. */
const SIGNATURES: Readonly<Record<string, string>> = {
  proxy_log: "i32 i32 i32",
  proxy_get_current_time_nanoseconds: "i32",
  proxy_set_tick_period_milliseconds: "i32",
  proxy_get_configuration: "i32 i32",
  proxy_get_buffer_bytes: "i32 i32 i32 i32 i32",
  proxy_get_buffer_status: "i32 i32 i32",
  proxy_set_buffer_bytes: "i32 i32 i32 i32 i32",
  proxy_get_header_map_size: "i32 i32",
  proxy_get_header_map_pairs: "i32 i32 i32",
  proxy_set_header_map_pairs: "i32 i32 i32",
  proxy_get_header_map_value: "i32 i32 i32 i32 i32",
  proxy_add_header_map_value: "i32 i32 i32 i32 i32",
  proxy_replace_header_map_value: "i32 i32 i32 i32 i32",
  proxy_remove_header_map_value: "i32 i32 i32",
  proxy_continue_stream: "i32",
  proxy_continue_request: "",
  proxy_close_stream: "i32",
  proxy_send_local_response: "i32 i32 i32 i32 i32 i32 i32 i32",
  proxy_set_effective_context: "i32",
  proxy_done: "",
  proxy_get_property: "i32 i32 i32 i32",
  proxy_set_property: "i32 i32 i32 i32",
  proxy_set_shared_data: "i32 i32 i32 i32 i32",
  proxy_get_shared_data: "i32 i32 i32 i32 i32",
  proxy_define_metric: "i32 i32 i32 i32",
  proxy_increment_metric: "i32 i64",
  proxy_record_metric: "i32 i64",
  proxy_get_metric: "i32 i32",
  proxy_get_status: "i32 i32 i32",
  proxy_register_shared_queue: "i32 i32 i32",
  proxy_resolve_shared_queue: "i32 i32 i32 i32 i32",
  proxy_enqueue_shared_queue: "i32 i32 i32",
  proxy_dequeue_shared_queue: "i32 i32 i32",
  proxy_grpc_call: "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32",
  proxy_grpc_stream: "i32 i32 i32 i32 i32 i32 i32 i32 i32",
  proxy_grpc_send: "i32 i32 i32 i32",
  proxy_grpc_cancel: "i32",
  proxy_grpc_close: "i32",
  proxy_call_foreign_function: "i32 i32 i32 i32 i32 i32",
  proxy_http_call: "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32",
};

export interface WatOptions {
  readonly abi?: string;
  /** Replaces the bump allocator at 4096; "" for none. */
  readonly allocator?: string;
  /** Memory declaration. */
  readonly memory?: string;
  /** Functions of `env` to import beyond those the text calls; given with their parameters. */
  readonly imports?: string;
}

const BUMP = `
  (global $heap (mut i32) (i32.const 4096))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap)
      (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8)))))`;

/** `(call $note (i32))` logs a status as text, for {@link FilterSetup.notes}; `$ok` expects 0 and traps otherwise. */
const NOTE = `
  (func $note (param $n i32)
    (if (i32.ge_u (local.get $n) (i32.const 10))
      (then
        (i32.store8 (i32.const 8) (i32.add (i32.const 48) (i32.div_u (local.get $n) (i32.const 10))))
        (i32.store8 (i32.const 9) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
        (drop (call $proxy_log (i32.const 2) (i32.const 8) (i32.const 2))))
      (else
        (i32.store8 (i32.const 8) (i32.add (i32.const 48) (local.get $n)))
        (drop (call $proxy_log (i32.const 2) (i32.const 8) (i32.const 1))))))
  (func $ok (param i32) (if (local.get 0) (then unreachable)))
  (func $say (param i32 i32) (drop (call $proxy_log (i32.const 2) (local.get 0) (local.get 1))))`;

/** A module around `body`: marker, memory, allocator, and imports for the host calls it names. */
export function proxyWasmWat(body: string, options: WatOptions = {}): string {
  const text = `${NOTE} ${options.allocator ?? BUMP} ${body}`;
  const calls = Object.entries(SIGNATURES).filter(([name]) =>
    new RegExp(`\\$${name}\\b`).test(text)
  );
  const imports = calls.map(([name, params]) =>
    `(import "env" "${name}" (func $${name} ${
      params === "" ? "" : `(param ${params})`
    } (result i32)))`
  );
  return `(module ${imports.join("\n")} ${options.imports ?? ""}
    ${options.memory ?? '(memory (export "memory") 1)'}
    (func (export "proxy_abi_version_${options.abi ?? "0_2_1"}"))
    ${text})`;
}

/** The admitted form of WAT text. */
export async function metered(wat: string, memoryBytes: number = WASM_LIMITS.memoryBytes) {
  return instrument(await compileWat(wat), {
    maxPages: memoryBytes / PAGE_BYTES,
    maxTable: WASM_LIMITS.tableElements,
  });
}

/** A clock that moves when told to. */
export class FakeClock implements Clock {
  ms = 1000;
  /** Moves this much with every look. */
  stepMs = 0;
  nowMs(): number {
    return 1_700_000_000_000 + this.ms;
  }
  monotonicMs(): number {
    this.ms += this.stepMs;
    return this.ms;
  }
}

export interface FilterSetup {
  readonly filter: Filter;
  readonly plan: Plan;
  readonly reports: WasmReports;
  readonly clock: FakeClock;
  readonly wheel: Wheel;
  readonly metrics: Metrics;
  readonly logs: Record<string, unknown>[];
  /** What the guest has logged, since the last look. */
  notes(): string[];
  /** A new exchange through the plan. */
  exchange(head?: Partial<RequestHead>): FakeExchange;
}

const ALL_HEADERS = ["*", ...SENSITIVE_HEADERS];
export const ALL_PERMISSIONS: GivenPermissions = {
  headers: { read: ALL_HEADERS, write: ALL_HEADERS, remove: ALL_HEADERS },
};

/** Settings of a wasm FilterSpec's config that tests change. */
export interface Settings {
  readonly config?: string;
  readonly failMode?: "open" | "closed";
  readonly fuelPerCall?: number;
  readonly memoryBytes?: number;
  readonly limits?: Readonly<Record<string, number>>;
  /** Left out: everything, credentials too. */
  readonly permissions?: GivenPermissions;
  readonly capabilities?: readonly string[];
  readonly module?: string;
  readonly rootId?: string;
  readonly upstreams?: readonly unknown[];
  readonly vmId?: string;
  readonly network?: boolean;
  readonly compat?: "envoy" | "higress";
  /** Of the environment: its name, and what outlives filters, for tests with several. */
  readonly name?: string;
  readonly kept?: Map<string, unknown>;
  readonly place?: FilterPlace;
  /** Of the environment: who answers requests of the filter's own. */
  readonly calls?: Calls;
  /** Of the environment, not the config: where the filter keeps its state when there are several. */
  readonly slot?: number;
}

/** The filter a binding of `bytes` makes. */
export async function setUp(bytes: Uint8Array, settings: Settings = {}): Promise<FilterSetup> {
  const { slot = 0, calls = NO_CALLS, name = "default/test", kept, place, ...config } = settings;
  const keep = <T>(key: string, make: () => T): T => {
    if (kept === undefined) return make();
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key) as T;
  };
  const clock = new FakeClock();
  const wheel = new Wheel(clock, { drive: false });
  const metrics = new Metrics();
  const logs: Record<string, unknown>[] = [];
  const log = createLog((line) => logs.push(JSON.parse(line)), { level: "debug" });
  const digest = await sha256(bytes);
  const reports = new WasmReports();
  const factory = makeWasmFactory({ modules: { get: () => Promise.resolve(bytes) }, reports });
  const env: FilterEnv = {
    name,
    ...(place === undefined ? {} : { place }),
    slot,
    backend: "default/app:80",
    clock,
    wheel,
    random: () => 0.5,
    metrics,
    calls,
    log,
    keep,
  };
  const filter = await factory({
    abi: "proxy-wasm",
    digest,
    module: "tests/test",
    version: "1.0.0",
    config: "",
    fuelPerCall: 1_000_000,
    memoryBytes: WASM_LIMITS.memoryBytes,
    failMode: "closed",
    capabilities: Object.keys(CAPABILITIES),
    permissions: ALL_PERMISSIONS,
    phases: ["TRANSFORM"],
    ...config,
  }, env);
  const plan = compilePlan([filter]);
  return {
    filter,
    plan,
    reports,
    clock,
    wheel,
    metrics,
    logs,
    notes: () => {
      const texts = logs.filter((l) => l["msg"] === "wasm.log").map((l) => String(l["text"]));
      logs.length = 0;
      return texts;
    },
    exchange: (head) => new FakeExchange(filter, head),
  };
}

/** {@link setUp} of WAT text around `body`. */
export async function setUpWat(
  body: string,
  settings: Settings & { readonly wat?: WatOptions } = {},
): Promise<FilterSetup> {
  const { wat, ...rest } = settings;
  return await setUp(await metered(proxyWasmWat(body, wat), settings.memoryBytes), rest);
}

/** An exchange whose hooks the test calls itself; it remembers what the filter did to it. */
export class FakeExchange implements FilterContext {
  readonly request: RequestHead;
  response: ResponseHead | null = null;
  readonly peer = "spiffe://mesh.local/ns/default/sa/web";
  readonly remote = "127.0.0.1:4711";
  readonly routeName = "default/route/0";
  readonly backendName = "default/app:80";
  readonly version = "v1";
  readonly slots: unknown[] = [];
  readonly claims = null;
  refusedBy = "";
  facts: ExchangeFacts = {
    local: "127.0.0.1:8080",
    servername: "app.example",
    endpoint: "10.0.0.1:9000",
    fault: null,
    ending: null,
  };
  reply: { status: number; fields: Fields; body: string } | null = null;
  fault: Fault | null = null;
  resumes = 0;
  readonly #filter: Filter;

  constructor(filter: Filter, head: Partial<RequestHead> = {}) {
    this.#filter = filter;
    this.request = {
      method: "GET",
      scheme: "http",
      authority: "app.default",
      path: "/a?b=c",
      fields: new Fields(["user-agent", "test", "x-twice", "1", "x-twice", "2"]),
      ...head,
    };
  }

  requestHead(end = true): Verdict {
    return this.#filter.onRequestHead!(this, this.request, end);
  }
  requestData(text: string, end = false): string | null {
    return passing(text, (bytes) => this.#filter.onRequestData!(this, bytes, end));
  }
  requestTrailers(...lines: string[]): Verdict {
    return this.#filter.onRequestTrailers!(this, new Fields(lines));
  }
  tunnelUp(text: string, end = false): string | null {
    return passing(text, (bytes) => this.#filter.onTunnelUp!(this, bytes, end));
  }
  tunnelDown(text: string, end = false): string | null {
    return passing(text, (bytes) => this.#filter.onTunnelDown!(this, bytes, end));
  }
  responseHead(end = false, status = 200, lines: string[] = []): Verdict {
    this.response = { status, fields: new Fields(lines) };
    return this.#filter.onResponseHead!(this, this.response, end);
  }
  responseData(text: string, end = false): string | null {
    return passing(text, (bytes) => this.#filter.onResponseData!(this, bytes, end));
  }
  responseTrailers(...lines: string[]): Verdict {
    return this.#filter.onResponseTrailers!(this, new Fields(lines));
  }
  end(): void {
    this.#filter.onEnd!(this);
  }

  respond(status: number, fields: Fields = new Fields(), body?: Uint8Array): Verdict {
    this.reply = { status, fields, body: body === undefined ? "" : shown(body)! };
    return DONE;
  }
  fail(fault: Fault): Verdict {
    this.fault = fault;
    return DONE;
  }
  failAttempt(): void {}
  resume(_held: number): void {
    this.resumes++;
  }
}

/** Bytes are there for the call only: who has kept some finds others in their place. */
function passing(text: string, hook: (bytes: Uint8Array) => Uint8Array | null): string | null {
  const given = bytes(text);
  const out = shown(hook(given));
  given.fill(0xdb);
  return out;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function shown(data: Uint8Array | null): string | null {
  return data === null ? null : new TextDecoder().decode(data);
}
