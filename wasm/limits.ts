/** Every limit of the Wasm sandbox, with its default and the reason for it. */

export const WASM_LIMITS = {
  /** Bytes of one module; QuickJS filters are 1.6 MB, a whole StarlingMonkey is 13 MB. */
  moduleBytes: 48 * 1024 * 1024,
  /** Fuel for one call into a module: about 3–10 ms of plain instructions. */
  fuelPerCall: 10_000_000,
  /** Fuel for the start function, `_initialize` and `_start`: language runtimes set themselves up there. */
  startFuel: 100_000_000,
  /** Linear memory of one instance. */
  memoryBytes: 16 * 1024 * 1024,
  /** Elements of one table; a table holds every function whose address is taken. */
  tableElements: 100_000,
  /** Memories and tables one module may define; each gets the whole cap. */
  memories: 1,
  tables: 8,
} as const;

export const PAGE_BYTES = 65536;
