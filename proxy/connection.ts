/** One socket and its codec: reads are pushed in, writes of one turn leave together, pressure goes both ways. */
import { charCode } from "../core/chars.ts";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import { BUFFERED } from "../core/buffered.ts";
import type { Codec } from "../core/stream.ts";
import type { Fault } from "../core/fault.ts";
import { type Channel, type ChannelOwner, openChannel } from "./channel.ts";
import { allocated } from "./scavenge.ts";
import { MOST_SHARED_BYTES, reserve, rewind, room, type Slab, slab, SLAB_BYTES } from "./slab.ts";
import type { ResettableWire } from "./tunnel.ts";

/** Bytes queued on one connection above which its feeders are paused; less while memory is tight. */
export const HIGH_WATER_BYTES = 256 * 1024, TIGHT_WATER_BYTES = 32 * 1024;
/** The same where many exchanges share it: who comes next waits behind all that is queued. One large read is enough. */
const SHARED_WATER_BYTES = 80 * 1024;

/** Pieces of this size fill a write by themselves. */
const LARGE_PIECE_BYTES = 8 * 1024;

/** Up to so many small pieces at once, which are one or two messages, a shared connection does not wait for more. */
const FEW_WRITES = 3;

/** Connections that hold bytes in the slab: while there are any it is not used anew. */
let holders = 0;
/** Those whose bytes the system would not take; when the slab is filling up they take them out of it. */
const stuck: Connection[] = [];

/** Connections with something to send, flushed together. */
class FlushQueue {
  readonly #dirty: Connection[] = [];
  readonly #defer: (flush: () => void) => void;
  readonly #flush = (): void => this.#run();

  constructor(defer: (flush: () => void) => void) {
    this.#defer = defer;
  }

  add(connection: Connection): void {
    if (this.#dirty.push(connection) === 1) this.#defer(this.#flush);
  }

  #run(): void {
    const dirty = this.#dirty;
    // A flush may lead to more writes on the same or other connections: the list grows while we walk it.
    for (let i = 0; i < dirty.length; i++) dirty[i]!.flush();
    dirty.length = 0;
    if (holders > 0 && slab.at > SLAB_BYTES / 2) {
      for (const one of stuck.splice(0)) {
        one.moveOut();
      }
    }
    if (holders > 0) return;
    stuck.length = 0;
    rewind();
  }
}

/** Once the code that wrote has run to its end: nothing is gained by waiting for more. */
const SOON = new FlushQueue((flush) => queueMicrotask(flush));
/** Once every socket that had something was read: what all of them led to leaves in one write. */
const AFTER_READS = new FlushQueue((flush) => void setImmediate(flush));

export interface ConnectionOptions {
  /** Many exchanges share the connection: one write per turn of the event loop pays. */
  readonly batch?: boolean;
}

export interface ConnectionOwner {
  /** Bytes were taken in: a client connection may have a free slot now. */
  received(connection: Connection): void;
  /** The socket is gone; the codec has been told. */
  gone(connection: Connection): void;
}

export class Connection implements ResettableWire, ChannelOwner {
  readonly socket: Socket;
  codec!: Codec;
  /** Monotonic milliseconds of the last byte in either direction; kept by the owner's sweep. */
  lastActiveMs = 0;
  /** Bytes seen in either direction since the last sweep. */
  activity = 0;
  /** Bytes that came in, ever. */
  received = 0;
  readonly #owner: ConnectionOwner;
  /** Null until open(): a client must neither read nor write before the server has proved its identity. */
  #channel: Channel | null = null;
  #flusher: FlushQueue;
  #batch: boolean;
  /** Small pieces since the last flush. */
  #writes = 0;
  /** What waits to be written: whole pieces, then the end of them, a run of the slab that may still grow. */
  #pieces: Uint8Array[] = [];
  #run: Slab | null = null;
  #runFrom = 0;
  #runTo = 0;
  #queued = 0;
  /** How many of the first pieces do not lie in the slab. */
  #owned = 0;
  #holder = false;
  #scheduled = false;
  #paused = false;
  #ending = false;
  #starved = false;
  /** What this queue last added to the process's sum. */
  #counted = 0;
  #gone = false;
  /** Why the connection ended, when we know better than the codec. */
  #fault: Fault | null = null;

  readonly #tellOwner = (): void => this.#owner.received(this);

  constructor(socket: Socket, owner: ConnectionOwner, options: ConnectionOptions = {}) {
    this.socket = socket;
    this.#owner = owner;
    this.#batch = options.batch ?? false;
    this.#flusher = SOON;
    socket.on("end", () => this.codec.eof());
    socket.on("error", () => {}); // "close" follows and tells the codec
    socket.on("close", () => this.#closed());
  }

  /** Why we ended it, if we did. */
  get fault(): Fault | null {
    return this.#fault;
  }
  get gone(): boolean {
    return this.#gone;
  }

  /** Many exchanges share it from now on. */
  batch(): void {
    this.#batch = true;
  }

  /** The socket is open and its peer known: reading begins, and what was queued may leave. */
  open(): void {
    if (this.#gone || this.socket.destroyed) return;
    this.#channel = openChannel(this.socket, this, this.#paused);
    this.#channel.start();
    this.flush();
  }

  /** What came in, from the channel. */
  read(bytes: Uint8Array): void {
    this.activity += bytes.length;
    this.received += bytes.length;
    this.codec.receive(bytes);
    this.#owner.received(this);
  }
  /** The system took what the channel had. */
  sent(): void {
    this.flush();
    if (holders === 0) rewind();
  }
  /** Nobody but the channel needs what lies in the slab. */
  get last(): boolean {
    return holders === 0;
  }

  write(bytes: Uint8Array): boolean {
    let from = 0;
    // In parts that leave no slab half empty.
    for (; bytes.length - from > MOST_SHARED_BYTES; from += MOST_SHARED_BYTES) {
      this.#put(bytes.subarray(from, from + MOST_SHARED_BYTES));
    }
    return this.#put(from === 0 ? bytes : bytes.subarray(from));
  }
  #put(bytes: Uint8Array): boolean {
    const { length } = bytes;
    if (length === 0 || this.#gone || this.#ending) return true;
    const from = reserve(length);
    slab.bytes.set(bytes, from);
    slab.at = from + length;
    return this.wrote(from, slab.at);
  }
  wrote(from: number, to: number): boolean {
    if (to === from || this.#gone || this.#ending) return true;
    if (this.#run === slab && this.#runTo === from) this.#runTo = to;
    else {
      this.#endRun();
      this.#run = slab;
      this.#runFrom = from;
      this.#runTo = to;
    }
    return this.#queue(to - from);
  }
  text(latin1: string): boolean {
    const from = reserve(latin1.length), { bytes } = slab;
    for (let i = 0; i < latin1.length; i++) bytes[from + i] = charCode(latin1, i);
    slab.at = from + latin1.length;
    return this.wrote(from, slab.at);
  }
  pause(): void {
    this.#paused = true;
    this.#channel?.pause();
  }
  resume(): void {
    this.#paused = false;
    this.#channel?.resume();
    // Bytes held in the codec may have ended an exchange just now, and none may follow to say so.
    queueMicrotask(this.#tellOwner);
  }
  end(): void {
    this.#ending = true;
    if (this.#channel === null && this.#queued === 0) this.destroy();
    else if (!this.#scheduled) this.flush();
  }
  destroy(): void {
    this.socket.destroy();
  }
  reset(): void {
    if (this.socket.connecting || this.socket.destroyed) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** Ends it for a reason the codec cannot know: refused identity, connect timeout, idle. */
  fail(fault: Fault): void {
    this.#fault ??= fault;
    this.socket.destroy();
  }

  flush(): void {
    this.#scheduled = false;
    const channel = this.#channel;
    if (channel === null || this.#gone) return;
    if (channel.busy) return void stuck.push(this); // sent() brings us back
    if (this.#queued > 0) {
      // Waiting for the other reads pays only where there are some: it costs another turn of the loop.
      if (this.#batch) this.#flusher = this.#writes > FEW_WRITES ? AFTER_READS : SOON;
      this.#writes = 0;
      this.activity += this.#queued;
      if (this.#pieces.length === 0) channel.write(this.#takenRun(this.#run!));
      else channel.writeAll(this.#taken());
      if (channel.busy) return;
    }
    if (this.#ending) this.socket.end();
    else if (this.#starved) this.#drained();
  }

  #queue(length: number): boolean {
    if (!this.#holder) {
      this.#holder = true;
      holders++;
    }
    this.#queued += length;
    if (length < LARGE_PIECE_BYTES) this.#writes++;
    const channel = this.#channel;
    if (!this.#scheduled && channel !== null) {
      this.#scheduled = true;
      this.#flusher.add(this);
    }
    const waiting = channel === null ? this.#queued : this.#queued + channel.waiting;
    if (channel === null || waiting > this.#mark) {
      this.#starved = true;
      this.#count(waiting);
      return false;
    }
    return true;
  }

  get #mark(): number {
    if (BUFFERED.tight) return TIGHT_WATER_BYTES;
    return this.#batch ? SHARED_WATER_BYTES : HIGH_WATER_BYTES;
  }

  /** What waits is copied to memory of its own. */
  moveOut(): void {
    if (!this.#holder) return;
    this.#endRun();
    const pieces = this.#pieces;
    for (let i = this.#owned; i < pieces.length; i++) {
      allocated(pieces[i]!.length);
      pieces[i] = pieces[i]!.slice();
    }
    this.#owned = pieces.length;
    this.#letGo();
  }

  #letGo(): void {
    if (!this.#holder) return;
    this.#holder = false;
    holders--;
  }

  #endRun(): void {
    if (this.#run === null) return;
    this.#pieces.push(this.#run.bytes.subarray(this.#runFrom, this.#runTo));
    this.#run = null;
  }

  /** All that waits, when it is one run: mostly. */
  #takenRun({ bytes }: Slab): Uint8Array {
    this.#run = null;
    this.#queued = 0;
    this.#letGo();
    return bytes.subarray(this.#runFrom, this.#runTo);
  }

  /** All that waits, in a list of the caller's. */
  #taken(): Uint8Array[] {
    this.#endRun();
    const pieces = this.#pieces, size = this.#queued;
    this.#pieces = [];
    this.#queued = this.#owned = 0;
    this.#letGo();
    return pieces.length > 1 && size <= MOST_SHARED_BYTES ? [joined(pieces, size)] : pieces;
  }

  #drained(): void {
    this.#starved = false;
    this.#count(0);
    this.codec.drained();
  }

  /** Keeps this queue's part of the process's sum; small queues, which are the rule, are not counted. */
  #count(bytes: number): void {
    BUFFERED.add(bytes - this.#counted);
    this.#counted = bytes;
  }

  #closed(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#pieces = [];
    this.#run = null;
    this.#letGo();
    this.#count(0);
    this.codec.close(this.#fault);
    this.#owner.gone(this);
  }
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const whole = room(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
