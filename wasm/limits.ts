/** Every limit of the Wasm sandbox, with its default and the reason for it. */

export const WASM_LIMITS = {
  /** Bytes of one module; QuickJS filters are 1.6 MB, a whole StarlingMonkey is 13 MB. */
  moduleBytes: 48 * 1024 * 1024,
  /** Fuel for one call into a module: 1–20 ms by what it does, more only when every load misses the caches. */
  fuelPerCall: 10_000_000,
  /** Fuel each byte of a body adds to what its exchange may use: long bodies are ordinary. */
  fuelPerBodyByte: 100,
  /** How often a filter that is over one of its limits is said to be. */
  overLimitLogMs: 10_000,
  /** Fuel for the start function, `_initialize` and `_start`: language runtimes set themselves up there. */
  startFuel: 50_000_000,
  /**
   * For what fuel cannot see (caches that miss, a slow machine): a call that used as much fuel as this
   * has the next one timed, and one that also took as long as this is a trap.
   */
  heavyFuel: 1_000_000,
  heavyCallMs: 250,
  /** Linear memory of one instance. */
  memoryBytes: 16 * 1024 * 1024,
  /** Elements of one table; a table holds every function whose address is taken. */
  tableElements: 100_000,
  /** Memories and tables one module may define; each gets the whole cap. */
  memories: 1,
  tables: 8,
  /** Bytes host calls may copy in and out during one call into a module: about 10 ms of copying. */
  hostBytesPerCall: 64 * 1024 * 1024,
  /** What a host call counts as against {@link hostBytesPerCall} for each look into memory, however small. */
  hostTouchBytes: 256,
  /** Host calls of one call into a module, however they are made: about 25 ms of the least of them. */
  hostCallsPerCall: 250_000,
  /** Body bytes held for a filter in one direction of one exchange. */
  bodyBytes: 1024 * 1024,
  /** Serialized header pairs, and how many; the same numbers as Envoy's. */
  pairsBytes: 1024 * 1024,
  pairs: 1024,
  /** One header value a filter sets. */
  headerValueBytes: 64 * 1024,
  /** Body of a local response. */
  localBodyBytes: 1024 * 1024,
  /** One line a filter logs; the rest is cut. */
  logBytes: 4096,
  /** Lines one call may log; more are counted and dropped. */
  logLinesPerCall: 64,
  /** Lines one filter may log in a second on average, and at once; more are counted and dropped. */
  logLinesPerSecond: 100,
  logLinesBurst: 500,
  /** Shared data of one filter. */
  sharedKeys: 1024,
  sharedBytes: 1024 * 1024,
  /** Metrics one filter may define, and the length of a name. */
  metrics: 256,
  metricNameChars: 128,
  /** Property paths, and properties one stream may set. */
  propertyPathBytes: 1024,
  properties: 64,
  propertyBytes: 64 * 1024,
  /** Requests of its own one instance may have under way, and the bytes all of them may hold. */
  calls: 256,
  callBytes: 8 * 1024 * 1024,
  /** Instances of a filter that waits for answers, and exchanges that may wait for one of them. */
  instances: 16,
  instanceWaiters: 256,
  /** Such instances kept although nothing uses them, and how long more than those are kept. */
  spareInstances: 2,
  spareInstanceMs: 30_000,
  /** The body of one answer. */
  callAnswerBytes: 1024 * 1024,
  /** gRPC messages that wait to be delivered to a guest, of one call. */
  grpcWaiting: 1024,
  /** The longest such a request may take; a guest that names no time gets this one. */
  callTimeoutMs: 60_000,
  /** Shared queues of one namespace, items of one, and bytes of all of them. */
  queues: 64,
  queueItems: 4096,
  queueBytes: 4 * 1024 * 1024,
  queueNameChars: 256,
  /** How long an instance that is not done may go on once no exchange uses it any more. */
  doneMs: 10_000,
  /** A tick is not due more often. */
  minTickMs: 10,
  /** random_get in one call, as in WASI hosts. */
  randomBytes: 64 * 1024,
  /** Streams one instance serves at once; more follow the fail mode. */
  streams: 100_000,
} as const;

/** A limit of one filter: what holds where nobody says otherwise, and what may be asked for at all. */
export interface LimitRule {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly about: string;
}

const counted = (initial: number, max: number, about: string): LimitRule => ({
  default: initial,
  min: 0,
  max,
  about,
});

/**
 * What a FilterBinding may set in `spec.limits`; MeshConfig `spec.filters.maxLimits` lowers what may be asked
 * for. Over a `…PerCall` or `…PerRequest` of host calls the call answers with the ABI's error.
 */
export const FILTER_LIMITS = {
  fuelPerCall: {
    default: WASM_LIMITS.fuelPerCall,
    min: 1000,
    max: 1_000_000_000,
    about: "fuel of one call into the module",
  },
  fuelPerRequest: {
    default: 100_000_000,
    min: 1000,
    max: 1_000_000_000_000,
    about: "fuel of all calls for one exchange; every body byte adds 100",
  },
  // Half a core to a whole one. A TypeScript filter spends some 500,000 an exchange, cheap ones of an
  // interpreter: with less, an honest one would be refused under a load that the proxy can carry.
  fuelPerSecond: {
    default: 5_000_000_000,
    min: 1000,
    max: 1_000_000_000_000,
    about:
      "fuel of the filter in one proxy in a second on average; over it new exchanges meet its fail mode",
  },
  memoryMiB: { default: 16, min: 1, max: 256, about: "memory of one instance" },
  moduleMiB: { default: 64, min: 1, max: 64, about: "size of the admitted module" },
  logsPerCall: counted(WASM_LIMITS.logLinesPerCall, 10_000, "lines one call may log"),
  logsPerRequest: counted(512, 100_000, "lines logged for one exchange"),
  headerChangesPerCall: counted(512, 10_000, "headers one call may set, add or remove"),
  headerChangesPerRequest: counted(2048, 100_000, "headers changed for one exchange"),
  propertiesPerCall: counted(1024, 100_000, "properties one call may read or set"),
  propertiesPerRequest: counted(8192, 1_000_000, "properties read or set for one exchange"),
  sharedWritesPerCall: counted(1024, 10_000, "shared values one call may write"),
  sharedWritesPerRequest: counted(1024, 100_000, "shared values written for one exchange"),
  metricsPerCall: counted(1024, 10_000, "metrics one call may define or change"),
  metricsPerRequest: counted(4096, 100_000, "metrics changed for one exchange"),
  sideCallsPerCall: counted(16, 4096, "requests of its own one call may begin"),
  sideCallsPerRequest: counted(64, 10_000, "requests of its own for one exchange"),
  sideCallsInFlight: counted(WASM_LIMITS.calls, 4096, "requests of its own under way at once"),
} as const satisfies Readonly<Record<string, LimitRule>>;

export type LimitName = keyof typeof FILTER_LIMITS;
export type FilterLimits = Readonly<Record<LimitName, number>>;

export const LIMIT_NAMES = Object.keys(FILTER_LIMITS) as readonly LimitName[];

/** Every limit, with defaults where `given` says nothing; those of fuel leave room for ten, and a hundred, calls. */
export function filterLimits(
  given: Readonly<Partial<Record<LimitName, number | undefined>>> = {},
): FilterLimits {
  const limits: Partial<Record<LimitName, number>> = {};
  for (const name of LIMIT_NAMES) limits[name] = given[name] ?? FILTER_LIMITS[name].default;
  const call = limits.fuelPerCall!;
  if (given.fuelPerRequest === undefined) {
    limits.fuelPerRequest = Math.max(limits.fuelPerRequest!, 10 * call);
  }
  if (given.fuelPerSecond === undefined) {
    limits.fuelPerSecond = Math.max(limits.fuelPerSecond!, 100 * call);
  }
  return limits as FilterLimits;
}

export const PAGE_BYTES = 65536;

/** How traps turn into back-off and back-off into a tripped filter. */
export const RESTART = {
  /** Wait after the second trap; doubles with each further one. The first is forgiven at once. */
  baseMs: 1000,
  maxMs: 30_000,
  /** Traps within this time count together; a quiet one forgets them. */
  windowMs: 60_000,
  /** As many traps in a window switch the filter off … */
  tripAfter: 5,
  /** … for this long, doubling up to the maximum; then one instance is tried. */
  tripMs: 30_000,
  maxTripMs: 300_000,
} as const;
