/**
 * The bytes of an open socket, without the stream objects above it. The runtime's own socket opens the
 * connection, shakes hands and closes; in between its handle is read and written here:
 *
 *   - every read lands in one buffer that all sockets share. As a stream each read would be an array of its
 *     own outside the heap, and the collector would have little else to do.
 *   - a write goes to the system in the call that makes it. Only what the system would not take waits.
 *   - pause() holds back the system's reads, under TLS too. The runtime's TLS stream (Deno 2.9.6) would go
 *     on reading, and keep what it decrypts.
 *
 * Where the runtime has no such handle, a {@link StreamChannel} does the same by its streams.
 */
import type { Socket } from "node:net";
import process from "node:process";
import { turnBegins, turnEnds } from "../core/turn_clock.ts";
import { allocated } from "./scavenge.ts";
import { giveBack, lend, poison, type Slab } from "./slab.ts";

export interface ChannelOwner {
  /** What came in. The bytes are there for the call only: who keeps any copies them. */
  read(bytes: Uint8Array): void;
  /** What was written has left: more may be. */
  sent(): void;
  /** Nothing else waits that lies in the slab. */
  readonly last: boolean;
}

/** What the owner asks of it. End, error and close are told by the socket itself. */
export interface Channel {
  /** Bytes that wait for the system to take them. */
  readonly waiting: number;
  /** Nothing may be written until sent(). */
  readonly busy: boolean;
  /** Begins to read; bytes that the socket has read already come first, at once. */
  start(): void;
  /** Takes the bytes; they may change after the call, but not those in the slab before it is rewound. */
  write(bytes: Uint8Array): void;
  /** Several pieces, in order, by one call. */
  writeAll(pieces: Uint8Array[]): void;
  pause(): void;
  resume(): void;
}

/** A handle of the runtime, as its own sockets use it (Deno 2.9.6, ext/node stream_wrap). */
interface Handle {
  onread: (this: Handle, bytes: undefined) => void;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** Writes at once what the system takes; the rest, if any, later: then `state` says so. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  writev(request: WriteRequest, pieces: Uint8Array[], allBytes: true): number;
}

/** Under TLS: takes what came in on the native handle, and gives it decrypted to its own onread. */
interface TlsHandle extends Handle {
  readonly _nativeTcpHandle?: Handle | null;
  receive(encrypted: Uint8Array): void;
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  channel: HandleChannel | null;
  /** Keeps the bytes alive while the system has yet to take them. */
  bytes: unknown;
  /** The slabs they lie in, when nobody else needs them. */
  slabs: readonly Slab[] | null;
}

interface StreamBinding {
  /** Where native code leaves numbers: bytes read, or a negative error … and whether a write is under way. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
  readonly WriteWrap: new () => WriteRequest;
}

/**
 * What fills two of our DATA frames, which the runtime seals and sends in two writes. More at a time saves
 * calls, but costs more: what is read, sealed and written would not stay in the processor's cache.
 */
const READ_BYTES = 2 * (3 * 16_384 - 9);
/** Where every plain read lands, and every decrypted one; taken out before the next. */
const ARRIVED = new Uint8Array(READ_BYTES);
/** Where encrypted bytes land. */
const SEALED = new Uint8Array(READ_BYTES);

const BINDING = streamBinding();

/** Takes an open socket over; nothing comes before start(). */
export function openChannel(
  socket: Socket,
  owner: ChannelOwner,
  paused: boolean,
  binding: StreamBinding | null = BINDING,
): Channel {
  const handle = (socket as unknown as { _handle?: Partial<Handle> | null })._handle;
  if (binding === null || typeof handle?.useUserBuffer !== "function") {
    return new StreamChannel(socket, owner, paused);
  }
  return new HandleChannel(socket, handle as Handle, owner, paused, binding);
}

class HandleChannel implements Channel {
  waiting = 0;
  readonly #socket: Socket;
  readonly #handle: Handle;
  /** The one below TLS. */
  readonly #native: Handle | null;
  readonly #owner: ChannelOwner;
  readonly #state: Int32Array;
  readonly #binding: StreamBinding;
  /** Unused so far: a write the system takes at once leaves it so. */
  #request: WriteRequest;
  #paused: boolean;
  /** What came while paused: TLS gives what it has already decrypted. */
  #held: Uint8Array[] = [];
  readonly #readOn = (): void => {
    while (this.#held.length > 0 && !this.#paused) this.#owner.read(this.#held.shift()!);
    if (!this.#paused && !this.#socket.destroyed) this.#handle.readStart();
  };

  constructor(
    socket: Socket,
    handle: Handle,
    owner: ChannelOwner,
    paused: boolean,
    binding: StreamBinding,
  ) {
    this.#socket = socket;
    this.#handle = handle;
    this.#owner = owner;
    this.#binding = binding;
    this.#state = binding.streamBaseState;
    this.#request = this.#newRequest();
    this.#native = nativeOf(handle);
    this.#paused = paused;
  }

  start(): void {
    const socket = this.#socket, handle = this.#handle;
    // The runtime looks its callback up when reading starts, and only then.
    handle.readStop();
    this.#hook(handle);
    if (this.#native !== null) this.#hookNative(handle as TlsHandle, this.#native);
    for (let read = takeRead(socket); read !== null; read = takeRead(socket)) this.#give(read);
    if (this.#paused || socket.destroyed) return;
    this.#native?.readStart();
    handle.readStart();
  }

  get busy(): boolean {
    return this.waiting > 0;
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.destroyed) return;
    const request = this.#request;
    const error = this.#handle.writeBuffer(request, bytes);
    if (error !== 0) this.#socket.destroy();
    else if (this.#state[this.#binding.kLastWriteWasAsync] !== 0) {
      this.#wait(request, bytes, bytes.length);
    }
  }

  writeAll(pieces: Uint8Array[]): void {
    if (this.#socket.destroyed) return;
    const request = this.#request;
    let size = 0;
    for (const piece of pieces) size += piece.length;
    const error = this.#handle.writev(request, pieces, true);
    if (error !== 0) this.#socket.destroy();
    else if (this.#state[this.#binding.kLastWriteWasAsync] !== 0) this.#wait(request, pieces, size);
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    if (this.#socket.destroyed) return;
    this.#handle.readStop();
    this.#native?.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#socket.destroyed) return;
    this.#native?.readStart();
    // What is held, and what TLS has decrypted already, would come within the call.
    if (this.#held.length > 0 || this.#native !== null) queueMicrotask(this.#readOn);
    else this.#handle.readStart();
  }

  /** The system has taken the rest of a write, or never will. */
  written(status: number): void {
    this.waiting = 0;
    if (status < 0) this.#socket.destroy();
    else if (!this.#socket.destroyed) this.#owner.sent();
  }

  #wait(request: WriteRequest, bytes: unknown, size: number): void {
    request.channel = this;
    if (this.#native === null) { // TLS takes a copy
      const lent = lend();
      request.bytes = bytes;
      request.slabs = this.#owner.last ? lent : null;
    }
    this.waiting = size;
    this.#request = this.#newRequest();
  }

  #newRequest(): WriteRequest {
    const request = new this.#binding.WriteWrap();
    request.oncomplete = completed;
    request.channel = null;
    request.bytes = null;
    request.slabs = null;
    return request;
  }

  /** From now on its reads come here. An end or an error goes the socket's own way. */
  #hook(handle: Handle): void {
    const { onread } = handle;
    const { kReadBytesOrError } = this.#binding;
    handle.useUserBuffer(ARRIVED);
    handle.onread = () => {
      const size = this.#state[kReadBytesOrError]!;
      if (size <= 0) return onread.call(handle, undefined);
      const bytes = ARRIVED.subarray(0, size);
      if (this.#paused) return void this.#held.push(bytes.slice());
      turnBegins();
      this.#owner.read(bytes);
      turnEnds();
      if (poison) ARRIVED.fill(0xdb, 0, size);
    };
  }

  #hookNative(tls: TlsHandle, native: Handle): void {
    const { onread } = native;
    const { kReadBytesOrError } = this.#binding;
    native.readStop();
    native.useUserBuffer(SEALED);
    native.onread = () => {
      const size = this.#state[kReadBytesOrError]!;
      if (size <= 0) return onread.call(native, undefined);
      tls.receive(SEALED.subarray(0, size));
    };
  }

  #give(bytes: Uint8Array): void {
    if (this.#paused) this.#held.push(bytes);
    else this.#owner.read(bytes);
  }
}

function completed(this: WriteRequest, status: number): void {
  const { channel, slabs } = this;
  this.channel = null;
  this.bytes = null;
  this.slabs = null;
  if (slabs !== null) giveBack(slabs);
  channel?.written(status);
}

/** By the runtime's streams. */
class StreamChannel implements Channel {
  readonly #socket: Socket;

  readonly #owner: ChannelOwner;

  constructor(socket: Socket, owner: ChannelOwner, paused: boolean) {
    this.#socket = socket;
    this.#owner = owner;
    if (paused) socket.pause();
  }

  start(): void {
    this.#socket.on("drain", () => this.#owner.sent());
    this.#socket.on("data", (bytes: Uint8Array) => {
      allocated(bytes.length);
      this.#owner.read(bytes);
    });
  }

  get waiting(): number {
    return this.#socket.writableLength;
  }
  get busy(): boolean {
    return this.#socket.writableNeedDrain;
  }
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
    if (this.#socket.writableLength > 0) lend();
  }
  writeAll(pieces: Uint8Array[]): void {
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
    if (this.#socket.writableLength > 0) lend();
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
}

function takeRead(socket: Socket): Uint8Array | null {
  return socket.readableLength > 0 ? socket.read() as Uint8Array | null : null;
}

function nativeOf(handle: TlsHandle | Handle): Handle | null {
  const native = "_nativeTcpHandle" in handle ? handle._nativeTcpHandle : null;
  return typeof native?.useUserBuffer === "function" ? native : null;
}

/** Null in a runtime that has none, or another one than this was written for. */
function streamBinding(): StreamBinding | null {
  const { binding } = process as unknown as { binding?: (name: string) => Partial<StreamBinding> };
  if (typeof binding !== "function") return null;
  try {
    const found = binding.call(process, "stream_wrap");
    const whole = found.streamBaseState instanceof Int32Array && found.WriteWrap !== undefined &&
      found.kReadBytesOrError !== undefined && found.kLastWriteWasAsync !== undefined;
    return whole ? found as StreamBinding : null;
  } catch {
    return null;
  }
}
