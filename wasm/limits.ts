/** Every limit of the Wasm sandbox, with its default and the reason for it. */

export const WASM_LIMITS = {
  /** Bytes of one module; QuickJS filters are 1.6 MB, a whole StarlingMonkey is 13 MB. */
  moduleBytes: 48 * 1024 * 1024,
  /** Fuel for one call into a module: 1–20 ms by what it does, more only when every load misses the caches. */
  fuelPerCall: 10_000_000,
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
  /** The body of one answer. */
  callAnswerBytes: 1024 * 1024,
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
