/** Why a guest call ended badly, in words an author can use. */
import { HostBudgetError } from "./memory.ts";

/** What a guest throws and nobody catches; the library's types do not know it yet. */
const { Exception: WasmException } = WebAssembly as unknown as { Exception: new () => object };

export type TrapKind = "fuel" | "memory" | "stack" | "trap" | "exit" | "host" | "time";

export interface Trap {
  readonly kind: TrapKind;
  /** One line: what happened, where. */
  readonly text: string;
}

/** Thrown by proc_exit: the only way out of a guest that called it. */
export class GuestExit extends Error {
  override readonly name = "GuestExit";
  readonly code: number;
  constructor(code: number) {
    super(`The module called proc_exit(${code})`);
    this.code = code;
  }
}

/** Not thrown: a call came back, but after far too long. */
export class TooSlow extends Error {
  override readonly name = "TooSlow";
  constructor(ms: number) {
    super(`The call took ${Math.round(ms)} ms`);
  }
}

export interface TrapScene {
  /** The callback that was entered. */
  readonly entry: string;
  readonly outOfFuel: boolean;
  readonly fuelLimit: number;
  /** What all calls of one exchange may use, when that is what ran out; else 0. */
  readonly fuelPerRequest: number;
  /** The memory can grow no further. */
  readonly memoryFull: boolean;
  readonly memoryBytes: number;
  /** The last line the call logged, "" for none. */
  readonly lastLog: string;
}

/** What an exception from a guest call means. */
export function classify(error: unknown, scene: TrapScene): Trap {
  const kind = kindOf(error, scene);
  const text = `${reasonOf(kind, error, scene)} in ${frames(error, scene.entry)}`;
  // A language runtime says why before it aborts.
  const said = (kind === "exit" || kind === "trap") && scene.lastLog !== "";
  return {
    kind,
    text: said ? `${text}; it had logged: ${scene.lastLog.slice(0, MAX_SAID)}` : text,
  };
}

function kindOf(error: unknown, scene: TrapScene): TrapKind {
  if (error instanceof GuestExit) return "exit";
  if (error instanceof HostBudgetError) return "host";
  if (error instanceof TooSlow) return "time";
  if (scene.outOfFuel) return "fuel";
  if (error instanceof RangeError) return "stack";
  if (error instanceof WasmException) return "trap";
  if (error instanceof WebAssembly.RuntimeError) {
    if (error.message.includes("out of bounds") && error.message.includes("memory")) {
      return "memory";
    }
    // A language runtime that got no more memory aborts by an instruction of its own choice.
    if (scene.memoryFull) return "memory";
    return "trap";
  }
  return "host";
}

function reasonOf(kind: TrapKind, error: unknown, scene: TrapScene): string {
  const message = error instanceof WasmException
    ? "an exception nobody caught"
    : error instanceof Error
    ? error.message
    : String(error);
  switch (kind) {
    case "fuel":
      return scene.fuelPerRequest === 0
        ? `Out of fuel after ${scene.fuelLimit} units`
        : `Out of fuel after ${scene.fuelLimit} units, the last of ${scene.fuelPerRequest} for one exchange,`;
    case "memory":
      return scene.memoryFull
        ? `Out of memory at its limit of ${scene.memoryBytes} bytes (${message})`
        : `Bad memory access (${message})`;
    case "stack":
      return "Stack overflow";
    case "exit":
    case "host":
    case "time":
      return message;
    case "trap":
      return `Trap: ${message}`;
  }
}

/** A stack line inside the module; V8 takes the name from the name section. */
const FRAME = /^\s*at (.+) \(wasm:\/\/[^)]*:(0x[0-9a-f]+)\)$/;

const MAX_FRAMES = 6;
const MAX_SAID = 300;

/** `inner < outer < proxy_on_request_headers`, by the names of the module's name section. */
function frames(error: unknown, entry: string): string {
  if (error instanceof TooSlow) return entry;
  const stack = error instanceof Error ? error.stack ?? "" : "";
  const names: string[] = [];
  let whole = false; // whether the frames reach down to the host
  for (const line of stack.split("\n").slice(1)) {
    const found = FRAME.exec(line);
    whole = found === null;
    if (found === null) continue;
    const name = found[1]!.startsWith("<") ? `function at ${found[2]}` : found[1]!;
    if (names.at(-1) !== name) names.push(name.slice(0, 120));
    if (names.length === MAX_FRAMES) break;
  }
  if (!whole && names.length > 0) return `${names.join(" < ")} < … < ${entry}`;
  // The outermost frame is the callback: it may have no name of its own, but it has been exported.
  names.splice(-1, 1, entry);
  return names.join(" < ");
}
