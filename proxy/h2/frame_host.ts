/** What the readers of frames need of the connection they read for. */
import type { Glitch, Glitches } from "./glitches.ts";
import type { H2Limits } from "./limits.ts";
import type { Sender } from "./sender.ts";
import type { PeerSettings } from "./settings.ts";
import type { StreamTable } from "./stream_table.ts";

export interface FrameHost {
  readonly role: "server" | "client";
  readonly limits: H2Limits;
  readonly peer: PeerSettings;
  readonly sender: Sender;
  readonly streams: StreamTable;
  readonly glitches: Glitches;
  /** A connection error or the end has come: read no more. */
  readonly failed: boolean;

  /** Streams whose id has not been used yet. */
  isIdle(id: number): boolean;
  /** Queues an answer to one of the peer's frames; false when too many wait for a peer that does not read. */
  control(bytes: Uint8Array): boolean;
  /** A connection error (RFC 9113 5.4.1): GOAWAY, then the end. */
  error(code: number, about: string): false;
  /** A stream error (5.4.2); true while the connection lives. */
  streamError(id: number, code: number): boolean;
  /** A frame on a stream that is over; true when it can be forgiven. */
  onClosed(id: number): boolean;
  /** False when the connection ended of it. */
  glitch(what: Glitch): boolean;
  spend(what: Glitch): boolean;
  /** A complete header list on a stream that has none yet, or interim ones. */
  gotHead(id: number, lines: string[], end: boolean): void;
  /** A header block was over the limits; the table is right. */
  headTooLarge(id: number, end: boolean): void;
  goaway(lastId: number, code: number): boolean;
  pingAcked(): void;
  /** The peer's settings have come, or changed. */
  peerSettings(): void;
}
