/** `--limit NAME=VALUE`: the limits of a proxy's connections and of the whole process, by the names people type. */
import type { H2Limits } from "../proxy/h2/limits.ts";
import type { ListenerLimits } from "../proxy/listener_limits.ts";
import type { OverloadLimits } from "../proxy/overload.ts";
import { descriptorLimit } from "../proxy/sockets.ts";
import { nearest, parseDuration, UsageError } from "./args.ts";

interface Row<K> {
  readonly key: K;
  readonly unit: "count" | "time" | "bytes";
  readonly least?: number;
  readonly most?: number;
}

/** Of one connection or one listener. */
const LISTENER: Readonly<Record<string, Row<keyof ListenerLimits>>> = {
  "max-connections": { key: "maxConnections", unit: "count" },
  "head-timeout": { key: "headTimeoutMs", unit: "time" },
  "body-timeout": { key: "bodyTimeoutMs", unit: "time" },
  "body-min-rate": { key: "bodyMinRate", unit: "bytes" },
  "idle-timeout": { key: "idleTimeoutMs", unit: "time" },
  "stall-timeout": { key: "stallTimeoutMs", unit: "time" },
  "tunnel-idle": { key: "tunnelIdleMs", unit: "time" },
};

const WINDOW = 2 ** 31 - 1;
/** Of one HTTP/2 connection, in place of the defaults for the edge or the mesh (proxy/h2/limits.ts). */
const H2: Readonly<Record<string, Row<keyof H2Limits>>> = {
  "h2-streams": { key: "concurrentStreams", unit: "count", most: 100_000 },
  "h2-stream-window": { key: "streamWindowBytes", unit: "bytes", most: WINDOW },
  "h2-connection-window": {
    key: "connectionWindowBytes",
    unit: "bytes",
    least: 65_535,
    most: WINDOW,
  },
  "h2-header-bytes": { key: "headerListBytes", unit: "bytes" },
  "h2-header-fields": { key: "headerFields", unit: "count" },
  "h2-ping-after": { key: "pingAfterMs", unit: "time" },
  "h2-glitches": { key: "glitches", unit: "count" },
  "h2-glitches-per-second": { key: "glitchesPerSecond", unit: "count" },
};

/** Of the process: above one of them new requests are refused. */
const PROCESS: Readonly<Record<string, Row<keyof OverloadLimits>>> = {
  "max-in-flight": { key: "maxInFlight", unit: "count" },
  "max-buffered": { key: "maxBufferedBytes", unit: "bytes" },
  "max-loop-lag": { key: "maxLoopLagMs", unit: "time" },
  "max-heap-percent": { key: "maxHeapPercent", unit: "count", most: 100 },
  "max-rss": { key: "maxRssBytes", unit: "bytes" },
};

/** What the system allows, which a proxy with few rights may not read. */
const DESCRIPTORS: Row<"descriptors"> = { key: "descriptors", unit: "count", least: 400 };
const MAX_DESCRIPTORS = "max-descriptors";

/** Tells a proxy that gets fewer rights than this process what the system allows both. */
export function descriptorFlags(): string[] {
  const limit = descriptorLimit();
  return limit === null ? [] : ["--limit", `${MAX_DESCRIPTORS}=${limit}`];
}

export interface Limits {
  readonly limits: Partial<ListenerLimits>;
  readonly h2: Partial<H2Limits>;
  readonly overload: Partial<OverloadLimits>;
  readonly descriptors?: number;
}

export function limitNames(): string[] {
  return [...Object.keys(LISTENER), ...Object.keys(H2), ...Object.keys(PROCESS), MAX_DESCRIPTORS];
}

/** Throws {@link UsageError}. */
export function parseLimits(given: readonly string[]): Limits {
  const limits: Partial<Record<keyof ListenerLimits, number>> = {};
  const h2: Partial<Record<keyof H2Limits, number>> = {};
  const overload: Partial<Record<keyof OverloadLimits, number>> = {};
  let descriptors: number | undefined;
  for (const text of given) {
    const equals = text.indexOf("=");
    const name = text.slice(0, Math.max(0, equals));
    const value = text.slice(equals + 1);
    const listener = LISTENER[name], stream = H2[name], process = PROCESS[name];
    if (listener !== undefined) limits[listener.key] = parse(name, value, listener);
    else if (stream !== undefined) h2[stream.key] = parse(name, value, stream);
    else if (process !== undefined) overload[process.key] = parse(name, value, process);
    else if (name === MAX_DESCRIPTORS) descriptors = parse(name, value, DESCRIPTORS);
    else throw unknown(text, name);
  }
  return { limits, h2, overload, ...(descriptors === undefined ? {} : { descriptors }) };
}

function parse(name: string, text: string, row: Row<string>): number {
  const what = `--limit ${name}`;
  if (row.unit === "time") return parseDuration(what, text);
  const parts = /^(\d{1,12})(Ki|Mi|Gi)?$/.exec(text);
  const unit = parts?.[2] ?? "";
  const value = Number(parts?.[1]) * { "": 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }[unit]!;
  const fits = parts !== null && value >= (row.least ?? 1) &&
    value <= (row.most ?? Number.MAX_SAFE_INTEGER) &&
    (unit === "" || row.unit === "bytes");
  if (fits) return value;
  const wanted = row.unit === "bytes" ? "bytes such as 65536 or 64Mi" : "a whole number above 0";
  const least = row.least === undefined ? "" : `, at least ${row.least}`;
  const most = row.most === undefined ? "" : ` and at most ${row.most}`;
  throw new UsageError(`${what} is "${text}"; wanted ${wanted}${least}${most}`);
}

function unknown(text: string, name: string): UsageError {
  const near = nearest(name, limitNames());
  const meant = near === "" ? `wanted one of: ${limitNames().join(", ")}` : `did you mean ${near}?`;
  return new UsageError(`--limit is "${text}"; wanted NAME=VALUE, ${meant}`);
}
