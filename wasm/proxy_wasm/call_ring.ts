/**
 * The last host calls of a guest, kept as the numbers they were made with: what these point at is looked up
 * only when somebody wants to read them, after a trap. Nothing is allocated for a call.
 */
import { redact } from "../../core/redact.ts";
import { WASM_LIMITS } from "../limits.ts";
import { isSensitive, REDACTED, TRAP_LIMITS } from "../trap_report.ts";
import { MAP } from "./abi.ts";
import { latin1 } from "./memory.ts";

const SLOTS = TRAP_LIMITS.hostCalls;
/** Call, result, six arguments. */
const WIDTH = 8;
/** In place of a result: the call has not come back. */
const OPEN = -0x8000_0000;

/** Where a guest's bytes are read; null: there are none. */
export type Peek = (pointer: number, length: number) => Uint8Array | null;

type Call = (...args: never[]) => number | void;
type Numbers = (...args: number[]) => number | void;

/**
 * Arguments as a reader wants them: `n` number, `m` header map, `s` text (pointer, length), `k` the name of a
 * header, `v` its value, `b` bytes whose number is told, `.` left out. Others are told as numbers.
 */
const SHAPES: Readonly<Record<string, string>> = {
  proxy_log: "ns",
  proxy_set_effective_context: "n",
  proxy_get_buffer_bytes: "nnn..",
  proxy_set_buffer_bytes: "nnnb",
  proxy_get_header_map_size: "m.",
  proxy_get_header_map_pairs: "m..",
  proxy_set_header_map_pairs: "mb",
  proxy_get_header_map_value: "mk..",
  proxy_add_header_map_value: "mkv",
  proxy_replace_header_map_value: "mkv",
  proxy_remove_header_map_value: "mk",
  proxy_send_local_response: "nsb",
  proxy_get_property: "s..",
  proxy_set_property: "sb",
  proxy_get_shared_data: "s...",
  proxy_set_shared_data: "sb",
  proxy_define_metric: "ns.",
  proxy_http_call: "sb",
  proxy_call_foreign_function: "s",
  proxy_register_shared_queue: "s.",
  proxy_resolve_shared_queue: "ss",
  proxy_enqueue_shared_queue: "nb",
};

const MAPS = new Map<number, string>(Object.entries(MAP).map(([name, number]) => [number, name]));

export class CallRing {
  readonly #numbers = new Int32Array(SLOTS * WIDTH);
  readonly #names: string[] = [];
  readonly #tooMany: () => void;
  #next = 0;
  #from = 0;

  /** `tooMany` is called instead of going on when one call into the guest makes more than it may. */
  constructor(tooMany: () => void = () => {}) {
    this.#tooMany = tooMany;
  }

  /** A call into the guest begins. */
  begin(): void {
    this.#from = this.#next;
  }

  /** `call`, which remembers what it was called with. `types` are those of signatures.ts. */
  recording(name: string, types: string, call: Call): Call {
    const id = this.#names.push(name) - 1;
    const fn = call as Numbers;
    const wide = types.indexOf("l");
    if (wide >= 0) return this.#recordingWide(id, wide, call);
    if (types.length <= 3) {
      return ((a: number, b: number, c: number) => {
        const at = this.#note(id, a, b, c, 0, 0, 0);
        return this.#numbers[at] = fn(a, b, c) as number;
      }) as Call;
    }
    if (types.length <= 5) {
      return ((a: number, b: number, c: number, d: number, e: number) => {
        const at = this.#note(id, a, b, c, d, e, 0);
        return this.#numbers[at] = fn(a, b, c, d, e) as number;
      }) as Call;
    }
    return ((...args: number[]) => {
      const at = this.#note(id, args[0]!, args[1]!, args[2]!, args[3]!, args[4]!, args[5]!);
      return this.#numbers[at] = fn(...args) as number;
    }) as Call;
  }

  /** The running call's, oldest first, as text. */
  tell(peek: Peek): string[] {
    const from = Math.max(this.#from, this.#next - SLOTS);
    const out: string[] = [];
    for (let n = from; n < this.#next; n++) out.push(this.#describe((n % SLOTS) * WIDTH, peek));
    return out;
  }

  /** A 64-bit number comes as a BigInt, which an Int32Array does not take. */
  #recordingWide(id: number, wide: number, call: Call): Call {
    const fn = call as (...args: unknown[]) => number;
    return ((a: number | bigint, b: number | bigint) => {
      const first = wide === 0 ? Number(a) : a as number;
      const second = wide === 1 ? Number(b) : b as number;
      const at = this.#note(id, first, second, 0, 0, 0, 0);
      return this.#numbers[at] = fn(a, b);
    }) as Call;
  }

  #note(id: number, a: number, b: number, c: number, d: number, e: number, f: number): number {
    const at = (this.#next++ % SLOTS) * WIDTH;
    // Through a table a call of the host costs its guest no more fuel than any other.
    if (this.#next - this.#from > WASM_LIMITS.hostCallsPerCall) this.#tooMany();
    const numbers = this.#numbers;
    numbers[at] = id;
    numbers[at + 1] = OPEN;
    numbers[at + 2] = a;
    numbers[at + 3] = b;
    numbers[at + 4] = c;
    numbers[at + 5] = d;
    numbers[at + 6] = e;
    numbers[at + 7] = f;
    return at + 1;
  }

  #describe(at: number, peek: Peek): string {
    const name = this.#names[this.#numbers[at]!]!;
    const parts: string[] = [];
    let from = at + 2, header = "";
    for (const kind of SHAPES[name] ?? "") {
      const value = this.#numbers[from]!;
      if (kind === "." || kind === "n" || kind === "m") {
        from++;
        if (kind !== ".") {
          parts.push(kind === "m" ? MAPS.get(value) ?? String(value) : String(value));
        }
        continue;
      }
      const length = this.#numbers[from + 1]!;
      from += 2;
      const bytes = kind === "b"
        ? null
        : peek(value, Math.min(length >>> 0, 4 * TRAP_LIMITS.hostCallChars));
      if (bytes === null) parts.push(`${length >>> 0} bytes`);
      else {
        const text = latin1(bytes);
        if (kind === "k") header = text.toLowerCase();
        const hidden = kind === "v" && (isSensitive(header) || header === "");
        parts.push(JSON.stringify(hidden ? REDACTED : redact(text)));
      }
    }
    if (!Object.hasOwn(SHAPES, name)) parts.push(String(this.#numbers[from]!));
    const result = this.#numbers[at + 1]!;
    const end = result === OPEN ? "did not return" : String(result);
    return `${name}(${parts.join(", ").slice(0, TRAP_LIMITS.hostCallChars)}) = ${end}`;
  }
}
