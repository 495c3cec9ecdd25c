/** Everything a peer could make grow on an HTTP/2 connection, with a bound. Each has a test in abuse_test.ts, some a `--limit` (cli/limits.ts). */

export interface H2Limits {
  /** SETTINGS_MAX_CONCURRENT_STREAMS we announce; counted until the work behind a stream has stopped. */
  readonly concurrentStreams: number;
  /** SETTINGS_HEADER_TABLE_SIZE we announce, and the cap on what we use of the peer's. */
  readonly tableBytes: number;
  /** Encoded bytes of one header block, CONTINUATION included (CVE-2024-27316 and kin). */
  readonly headerBlockBytes: number;
  /** CONTINUATION frames of one header block. */
  readonly continuationFrames: number;
  /** Decoded size of a header list with 32 bytes a field: an index costs a byte and yields kilobytes. */
  readonly headerListBytes: number;
  readonly headerFields: number;
  /** Receive window of one stream, and of the connection: what a peer may send that nobody has taken yet. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** SETTINGS_MAX_FRAME_SIZE we announce. */
  readonly frameBytes: number;
  /** Unsent body bytes of one stream above which its feeder is paused. */
  readonly sendBufferBytes: number;
  /**
   * Body received on all streams together that nobody has taken. Below it the connection's window is
   * given back at once, so that slow streams do not hold up the others; above it, as streams are read.
   */
  readonly heldBytes: number;
  /** A stream with something to send, of which fewer than `windowStallBytes` left within this time, ends. */
  readonly windowStallMs: number;
  readonly windowStallBytes: number;
  /** A request body of declared length brings `bodyMinRate` bytes a second, judged over windows this long. */
  readonly bodyTimeoutMs: number;
  readonly bodyMinRate: number;
  /** A request body of undeclared length, a stream of gRPC say, may rest this long before its answer begins. */
  readonly bodySilenceMs: number;
  /** A client that is silent for so long while streams are open is pinged, and has `pingTimeoutMs` to answer. */
  readonly pingAfterMs: number;
  readonly pingTimeoutMs: number;
  /** From HEADERS without END_HEADERS to the last CONTINUATION. */
  readonly headTimeoutMs: number;
  /** RFC 9113 6.5.3: how long our SETTINGS may go unanswered. */
  readonly settingsTimeoutMs: number;
  /**
   * Glitches: frames that are legal alone and an attack in numbers (resets, settings, empty DATA,
   * frames on streams that are gone, control frames without traffic). The bucket leaks
   * `glitchesPerSecond`, and every stream opened excuses half a one; over `glitches` the connection
   * ends with ENHANCE_YOUR_CALM.
   */
  readonly glitches: number;
  readonly glitchesPerSecond: number;
  /**
   * Window updates, pings, PRIORITY and unknown frames that count as no glitch: this many to begin
   * with, 10 more for each DATA frame we send (gRPC peers ping to measure it) and 2 for each stream.
   */
  readonly freeFrames: number;
  /** Answers to the peer's frames queued while it does not read. */
  readonly queuedControlBytes: number;
  /** Streams we reset whose late frames are forgiven. */
  readonly rememberedResets: number;
}

/** Between sidecars: peers have proved who they are, and a connection carries the requests of thousands. */
export const H2_LIMITS: H2Limits = {
  concurrentStreams: 1024,
  tableBytes: 16 * 1024,
  headerBlockBytes: 60 * 1024,
  continuationFrames: 8,
  headerListBytes: 64 * 1024,
  headerFields: 100,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 8 * 1024 * 1024,
  frameBytes: 48 * 1024,
  sendBufferBytes: 32 * 1024,
  heldBytes: 16 * 1024 * 1024,
  windowStallMs: 300_000,
  windowStallBytes: 1024,
  bodyTimeoutMs: 30_000,
  bodyMinRate: 100,
  bodySilenceMs: 3_600_000,
  pingAfterMs: 60_000,
  pingTimeoutMs: 20_000,
  headTimeoutMs: 10_000,
  settingsTimeoutMs: 10_000,
  glitches: 10_000,
  glitchesPerSecond: 1000,
  freeFrames: 100,
  queuedControlBytes: 64 * 1024,
  rememberedResets: 1024,
};

/** Facing the world: one client a connection, and anybody may be one. */
export const H2_EDGE_LIMITS: H2Limits = {
  ...H2_LIMITS,
  concurrentStreams: 100,
  tableBytes: 4096,
  streamWindowBytes: 64 * 1024,
  connectionWindowBytes: 1024 * 1024,
  frameBytes: 16 * 1024,
  heldBytes: 2 * 1024 * 1024,
  glitches: 500,
  glitchesPerSecond: 20,
  rememberedResets: 256,
};
