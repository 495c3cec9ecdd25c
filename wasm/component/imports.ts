/** The host's side of the world: what a component may call while one of its functions runs. */
import type { FilterContext } from "../../core/filter.ts";
import { METRIC } from "../proxy_wasm/abi.ts";
import type { PluginMetrics } from "../proxy_wasm/metrics.ts";
import { HostBudgetError } from "../proxy_wasm/memory.ts";
import { type LimitName, WASM_LIMITS } from "../limits.ts";
import { TRAP_LIMITS } from "../trap_report.ts";
import type { Permits } from "../permissions.ts";
import { newTally, QUOTA, type QuotaKind, type Quotas, type Tally } from "../quota.ts";
import { ACCOUNT } from "./bundle.ts";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { WASI_HTTP } from "./wasi_http.ts";
import type { KeyValues } from "./kv.ts";
import type { CallResult, SideCalls } from "./side_calls.ts";
import { type CallRecord, type PeerRecord, refusal } from "./wit.ts";

/** What a component may know of its exchange. */
export type ExchangeFacts = Pick<
  FilterContext,
  "peer" | "remote" | "routeName" | "backendName" | "version" | "request"
>;

/** What the imports of one instance act on; its owner points `exchange` at whom a call is for. */
export interface HostState {
  exchange: ExchangeFacts | null;
  /** Properties the filter left on the running exchange. */
  properties: Map<string, Uint8Array> | null;
  /** Host calls of the running call and of its exchange, by kind. */
  readonly tally: Tally;
  payer: Payer | null;
  /** Bytes host calls may still copy and decode in the running call. */
  budget: number;
  /** What the running call logged last: language runtimes say there why they give up. */
  lastLog: string;
  /** What the running call asked of the host, the last of it: name, argument, … */
  readonly asked: string[];
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly kv: KeyValues;
  readonly metrics: PluginMetrics;
  readonly quotas: Quotas;
  readonly capabilities: ReadonlySet<string>;
  readonly permits: Permits;
  /** Something was refused for being over a limit. */
  overLimit(limit: LimitName): void;
  /** Requests of its own; null in an instance that cannot wait for them. */
  readonly side: SideCalls | null;
  /** Called when the guest begins to wait, and when it goes on. */
  suspended(on: boolean): void;
  fuelLeft(): bigint;
  /** A call was made that the binding does not grant. */
  denied(call: string): void;
}

/** Whose exchange a call is for: it pays. */
export interface Payer {
  readonly fuelLeft: number;
  spent(fuel: number, us: number): void;
  tally: Tally | null;
}

/** Entries in one table of a component's own resources; it lies in the proxy's memory, not in the filter's. */
const HANDLES_LIMIT = 65_536;

const LEVELS = ["debug", "debug", "info", "warn", "error", "error"] as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** By interface, as the glue asks for them. An interface no grant covers is there all the same and does nothing. */
export function hostImports(state: HostState): Record<string, object> {
  return {
    [ACCOUNT]: accountOf(state),
    "denim:filter/host": hostInterface(state),
    "denim:filter/kv": kvInterface(state),
    "denim:filter/metrics": metricsInterface(state),
    "denim:filter/http": httpInterface(state),
    ...WASI_HTTP,
  };
}

/** What the glue decodes strings with: every look into guest memory is paid for, however small. */
function accountOf(state: HostState): object {
  return {
    decode(bytes: Uint8Array | DataView): string {
      charge(state, bytes.byteLength);
      return decoder.decode(bytes as Uint8Array<ArrayBuffer>);
    },
    charge: (bytes: number): void => charge(state, bytes),
    /** A table of the component's own handles has so many entries now. */
    handles(entries: number): void {
      if (entries <= HANDLES_LIMIT) return;
      throw new HostBudgetError(`The component holds more than ${HANDLES_LIMIT} handles`);
    },
  };
}

function charge(state: HostState, bytes: number): void {
  state.budget -= (bytes >>> 0) + WASM_LIMITS.hostTouchBytes;
  if (state.budget < 0) {
    throw new HostBudgetError(
      `Host calls copied more than ${WASM_LIMITS.hostBytesPerCall} bytes in one call`,
    );
  }
}

function hostInterface(state: HostState): object {
  const may = (capability: string, call: string): boolean => granted(state, capability, call);
  return {
    log(level: number, message: string): void {
      if (!within(state, QUOTA.logs)) return;
      const text = message.length > WASM_LIMITS.logBytes
        ? `${message.slice(0, WASM_LIMITS.logBytes)}…`
        : message;
      state.lastLog = text;
      note(state, "log", text);
      state.log[LEVELS[level] ?? "error"]("wasm.log", { text });
    },
    peerIdentity(): PeerRecord {
      const { exchange } = state;
      if (exchange === null || !may("properties-read", "peer-identity")) {
        return { dnsSans: [], mtls: false, address: "" };
      }
      const spiffeId = exchange.peer === "" ? undefined : exchange.peer;
      return { spiffeId, dnsSans: [], mtls: exchange.peer !== "", address: exchange.remote };
    },
    property(path: string[]): Uint8Array | undefined {
      if (!may("properties-read", "property") || !within(state, QUOTA.properties)) return undefined;
      const key = path.join(".");
      return named(state, "properties", key) ? property(state, path, key) : undefined;
    },
    setProperty(path: string[], value: Uint8Array): void {
      if (state.exchange === null) return; // nobody but this filter reads it, so it needs no grant
      charge(state, value.length);
      if (!within(state, QUOTA.properties)) return;
      const name = path.join("\0");
      const properties = state.properties ??= new Map();
      const fits = name.length <= WASM_LIMITS.propertyPathBytes &&
        value.length <= WASM_LIMITS.propertyBytes;
      if (fits && (properties.has(name) || properties.size < WASM_LIMITS.properties)) {
        properties.set(name, value.slice());
      }
    },
    nowNs: (): bigint => BigInt(Math.round(state.clock.nowMs() * 1000)) * 1000n,
    utf8Decode(bytes: Uint8Array): string {
      charge(state, bytes.length);
      return decoder.decode(bytes);
    },
    utf8Encode: (text: string): Uint8Array => encoder.encode(text), // paid for when it was read
    fuelLeft: (): bigint => state.fuelLeft(),
    traceParent: (): string =>
      state.permits.read.allows("traceparent")
        ? state.exchange?.request.fields.get("traceparent") ?? ""
        : "",
  };
}

function property(state: HostState, path: string[], key: string): Uint8Array | undefined {
  const { exchange } = state;
  if (exchange === null) return undefined;
  const own = state.properties?.get(path.join("\0"));
  if (own !== undefined) return own;
  switch (key) {
    case "route_name":
      return encoder.encode(exchange.routeName);
    case "backend_name":
      return encoder.encode(exchange.backendName);
    case "revision":
      return encoder.encode(exchange.version);
    case "plugin_name":
      return encoder.encode(state.name);
    case "source.address":
      return encoder.encode(exchange.remote);
    case "connection.uri_san_peer_certificate":
      return exchange.peer === "" ? undefined : encoder.encode(exchange.peer);
    default:
      return undefined;
  }
}

function kvInterface(state: HostState): object {
  const may = (call: string): boolean => granted(state, "shared-data", call);
  return {
    get(key: string): [Uint8Array, bigint] | undefined {
      const found = may("kv.get") && named(state, "sharedData", key)
        ? state.kv.get(key)
        : undefined;
      if (found !== undefined) charge(state, found[0].length);
      return found;
    },
    set(key: string, value: Uint8Array, cas?: bigint, ttlMs?: number): bigint {
      charge(state, value.length);
      if (!may("kv.set") || !named(state, "sharedData", key) || !within(state, QUOTA.shared)) {
        throw refusal({ tag: "denied" });
      }
      const result = state.kv.set(key, value.slice(), cas, ttlMs);
      if (typeof result !== "bigint") throw refusal(result);
      return result;
    },
    incr: (key: string, by: bigint, ttlMs?: number): bigint =>
      may("kv.incr") && named(state, "sharedData", key) && within(state, QUOTA.shared)
        ? state.kv.increment(key, by, ttlMs)
        : 0n,
  };
}

/** Asked for by suspending glue only, which takes promises here. */
function httpInterface(state: HostState): object {
  const ask = async (records: readonly CallRecord[]): Promise<CallResult[]> => {
    const none = records.length === 0 || state.side === null;
    if (none) return records.map(() => ({ tag: "err", val: { tag: "refused" } }));
    for (const record of records) charge(state, record.body.length);
    let allowed = 0;
    while (allowed < records.length && within(state, QUOTA.sideCalls)) allowed++;
    const vias = state.exchange?.request.fields.all("via") ?? [];
    state.suspended(true);
    const results = await state.side!.send(records, vias, allowed);
    state.suspended(false);
    for (const { tag, val } of results) if (tag === "ok") charge(state, val.body.length);
    return results;
  };
  return {
    send: async (record: CallRecord): Promise<CallResult> => (await ask([record]))[0]!,
    sendMany: ask,
  };
}

function metricsInterface(state: HostState): object {
  const record = (type: number, name: string, labels: [string, string][], value: number): void => {
    if (!granted(state, "metrics", "metrics") || !within(state, QUOTA.metrics)) return;
    if (!named(state, "metrics", name)) return;
    const tags = labels.map(([label, text]) => `${label}=${text}`).join(",");
    const id = state.metrics.define(type, tags === "" ? name : `${name}{${tags}}`);
    if (id !== 0) state.metrics.record(id, value);
  };
  return {
    counter: (name: string, labels: [string, string][], delta: bigint): void =>
      record(METRIC.counter, name, labels, Number(delta)),
    gauge: (name: string, labels: [string, string][], value: number): void =>
      record(METRIC.gauge, name, labels, value),
    histogram: (name: string, labels: [string, string][], value: number): void =>
      record(METRIC.histogram, name, labels, value),
  };
}

/** Whether the name of something is granted, within its capability. */
function named(
  state: HostState,
  rule: "properties" | "sharedData" | "metrics",
  name: string,
): boolean {
  note(state, rule, name);
  if (state.permits[rule].allows(name)) return true;
  state.denied(`${rule} ${name.slice(0, 100)}`);
  return false;
}

/** Strings that are there anyhow are kept as they are: nothing is made for a call. */
function note(state: HostState, call: string, argument: string): void {
  if (state.asked.length >= 2 * TRAP_LIMITS.hostCalls) state.asked.splice(0, 2);
  state.asked.push(call, argument);
}

function within(state: HostState, kind: QuotaKind): boolean {
  const { payer } = state;
  const request = payer === null ? null : payer.tally ??= newTally();
  const over = state.quotas.take(kind, state.tally, request);
  if (over === null) return true;
  state.overLimit(over);
  return false;
}

function granted(state: HostState, capability: string, call: string): boolean {
  note(state, call, "");
  if (state.capabilities.has(capability)) return true;
  state.denied(call);
  return false;
}
