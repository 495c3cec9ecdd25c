/** One clause of the Proxy-Wasm ABI as a guest in WAT, and what it must hear of the host. */
import type { FakeCalls } from "../../../wasm/testing/fake_calls.ts";
import type { FilterSetup, Settings, WatOptions } from "../../../wasm/testing/harness.ts";

export interface AbiCase {
  /** Group and clause. */
  readonly name: string;
  readonly wat: string;
  readonly options?: WatOptions;
  readonly settings?: Settings;
  /** Drives the guest and asserts; absent: one request head, then {@link notes}. */
  run?(rig: AbiRig): void | Promise<void>;
  /** What the guest has said by then. */
  readonly notes?: readonly string[];
  /** The filter must not come up, and this is why. */
  readonly refused?: RegExp;
}

export interface AbiRig extends FilterSetup {
  readonly calls: FakeCalls;
  /** Moves the clock, and lets what is due happen. */
  pass(ms: number): void;
}

/** Texts a guest refers to: their data segments, and `ref` for "pointer, length" in a call. */
export function words<T extends string>(...texts: readonly T[]) {
  const places = new Map<T, readonly [number, number]>();
  let at = 1024, wat = "";
  for (const text of texts) {
    const bytes = Array.from(text, (c) => c.charCodeAt(0));
    wat += `(data (i32.const ${at}) "${bytes.map(escaped).join("")}")\n`;
    places.set(text, [at, bytes.length]);
    at += bytes.length + 1;
  }
  if (at > 4096) throw new Error("words() runs into the heap; wanted less text");
  return {
    wat,
    ref: (text: T): string => places.get(text)!.map((n) => `(i32.const ${n})`).join(" "),
  };
}

function escaped(byte: number): string {
  return `\\${byte.toString(16).padStart(2, "0")}`;
}

/** Out parameters of what host calls hand over: pointer at 16, size at 20. */
export const OUT = "(i32.const 16) (i32.const 20)";
/** Logs what a host call has handed over. */
export const SAY = "(call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))";
/** Logs its size. */
export const SIZE = "(call $note (i32.load (i32.const 20)))";

export const int = (n: number): string => `(i32.const ${n})`;
export const note = (code: string): string => `(call $note ${code})`;
export const ok = (code: string): string => `(call $ok ${code})`;

const CALLBACKS = {
  proxy_on_request_headers: "i32 i32 i32",
  proxy_on_request_body: "i32 i32 i32",
  proxy_on_request_trailers: "i32 i32",
  proxy_on_response_headers: "i32 i32 i32",
  proxy_on_response_body: "i32 i32 i32",
  proxy_on_response_trailers: "i32 i32",
  proxy_on_vm_start: "i32 i32",
  proxy_on_configure: "i32 i32",
  proxy_on_done: "i32",
} as const;

/** Exports a callback that runs `code` and returns `result`; the stream's id is kept at 36. */
export function on(callback: keyof typeof CALLBACKS, code: string, result = 0): string {
  const keep = callback.includes("_re") ? "(i32.store (i32.const 36) (local.get 0))" : "";
  return `(func (export "${callback}") (param ${CALLBACKS[callback]}) (result i32)
    ${keep} ${code} (i32.const ${result}))`;
}

/** Exports a callback without a result. */
export function event(callback: string, params: string, code: string): string {
  return `(func (export "${callback}") (param ${params}) ${code})`;
}

/** A tick every 100 ms that runs `code`. */
export function ticking(code: string): string {
  return on(
    "proxy_on_configure",
    ok("(call $proxy_set_tick_period_milliseconds (i32.const 100))"),
    1,
  ) +
    event("proxy_on_tick", "i32", code);
}

/** Takes the effective context to the stream whose id lies at 36. */
export const TO_STREAM = ok("(call $proxy_set_effective_context (i32.load (i32.const 36)))");
