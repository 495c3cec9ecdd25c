/** A guest's linear memory, seen safely: every pointer checked, every byte copied accounted for. */
import { WASM_LIMITS } from "../limits.ts";
import { STATUS } from "./abi.ts";

/** Thrown through the guest when host calls did more work than one call may ask for. */
export class HostBudgetError extends Error {
  override readonly name = "HostBudgetError";
}

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const CHUNK = 4096;

/**
 * Views are made anew when the guest has grown its memory, which detaches the old ones: a view
 * returned from here is good until the next call into the guest, allocations included.
 */
export class GuestMemory {
  /** What is left of {@link WASM_LIMITS.hostBytesPerCall} in the running call. */
  budget = 0;
  readonly #memory: WebAssembly.Memory;
  readonly #allocate: ((size: number) => number) | null;
  readonly #overdrawn: () => void;
  #bytes: Uint8Array = EMPTY;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #allocating = false;

  /** `overdrawn` is called before the exception: the guest may catch that. */
  constructor(
    memory: WebAssembly.Memory,
    allocate: ((size: number) => number) | null,
    overdrawn: () => void = () => {},
  ) {
    this.#memory = memory;
    this.#overdrawn = overdrawn;
    this.#allocate = allocate;
  }

  /** Bytes the memory has now. */
  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  /** The guest's bytes without a copy, or null when they are not all inside its memory. */
  view(pointer: number, length: number): Uint8Array | null {
    const from = pointer >>> 0, count = length >>> 0;
    const bytes = this.#fresh();
    if (from + count > bytes.length) return null;
    this.budget -= count;
    return bytes.subarray(from, from + count);
  }

  /** For who looks at what a guest that is dead has left: nothing is charged. */
  peek(pointer: number, length: number): Uint8Array | null {
    const from = pointer >>> 0, count = length >>> 0;
    const bytes = new Uint8Array(this.#memory.buffer);
    return from + count > bytes.length ? null : bytes.subarray(from, from + count);
  }

  /** A copy that stays when the guest runs on. */
  copy(pointer: number, length: number): Uint8Array | null {
    const view = this.view(pointer, length);
    return view === null ? null : view.slice();
  }

  /** The bytes as a latin-1 string, one char per byte. */
  text(pointer: number, length: number): string | null {
    const view = this.view(pointer, length);
    return view === null ? null : latin1(view);
  }

  u32(pointer: number): number | null {
    const at = pointer >>> 0;
    const bytes = this.#fresh();
    return at + 4 > bytes.length ? null : this.#view.getUint32(at, true);
  }

  setU32(pointer: number, value: number): boolean {
    const at = pointer >>> 0;
    const bytes = this.#fresh();
    if (at + 4 > bytes.length) return false;
    this.#view.setUint32(at, value, true);
    return true;
  }

  setU64(pointer: number, value: bigint): boolean {
    const at = pointer >>> 0;
    const bytes = this.#fresh();
    if (at + 8 > bytes.length) return false;
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
    return true;
  }

  /** Hands `bytes` to the guest in memory of its own; writes where they are and how many. */
  give(bytes: Uint8Array, outPointer: number, outSize: number): number {
    if (bytes.length === 0) return this.point(0, 0, outPointer, outSize);
    const pointer = this.allocate(bytes.length);
    const target = pointer === 0 ? null : this.view(pointer, bytes.length);
    if (target === null) return STATUS.invalidMemory;
    target.set(bytes);
    return this.point(pointer, bytes.length, outPointer, outSize);
  }

  /** {@link give} for a latin-1 string, encoded straight into the guest. */
  giveText(text: string, outPointer: number, outSize: number): number {
    if (text.length === 0) return this.point(0, 0, outPointer, outSize);
    const pointer = this.allocate(text.length);
    const target = pointer === 0 ? null : this.view(pointer, text.length);
    if (target === null) return STATUS.invalidMemory;
    writeLatin1(text, target, 0);
    return this.point(pointer, text.length, outPointer, outSize);
  }

  /** Memory from the guest's allocator, or 0. The guest runs: views are stale afterwards. */
  allocate(size: number): number {
    // An allocator that asks for data would need memory for it: that way lies no end.
    if (this.#allocate === null || this.#allocating) return 0;
    this.#allocating = true;
    try {
      return this.#allocate(size) >>> 0;
    } finally {
      this.#allocating = false;
    }
  }

  /** Writes a pointer and a size where the guest wants them. */
  point(pointer: number, size: number, outPointer: number, outSize: number): number {
    return this.setU32(outPointer, pointer) && this.setU32(outSize, size)
      ? STATUS.ok
      : STATUS.invalidMemory;
  }

  /** Counts work a host call does beside looking into memory. */
  charge(bytes: number): void {
    this.budget -= bytes;
    if (this.budget < 0) {
      this.#overdrawn();
      throw new HostBudgetError("Host calls copied more than one call may ask for");
    }
  }

  #fresh(): Uint8Array {
    this.charge(WASM_LIMITS.hostTouchBytes);
    // A detached view has no length: that is how growth shows, without asking the engine each time.
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#memory.buffer);
      this.#view = new DataView(this.#memory.buffer);
    }
    return this.#bytes;
  }
}

/** Bytes as a latin-1 string; a TextDecoder would read windows-1252. */
export function latin1(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = "";
  for (let i = 0; i < bytes.length; i += CHUNK) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + CHUNK) as unknown as number[]);
  }
  return text;
}

/** Writes a latin-1 string at `at` of `target`, which has room for it. */
export function writeLatin1(text: string, target: Uint8Array, at: number): void {
  // UTF-8 and latin-1 agree on ASCII, and encoding natively is far quicker than a loop.
  const { read, written } = encoder.encodeInto(text, target.subarray(at, at + text.length));
  if (read === text.length && written === text.length) return;
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
}

/** A latin-1 string as bytes of its own. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(text, bytes, 0);
  return bytes;
}
