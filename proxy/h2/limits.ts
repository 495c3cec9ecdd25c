/** Everything a peer could make grow on an HTTP/2 connection, with a bound. Each has a test in tests/conformance/h2. */

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
   * Glitches: frames that are legal alone and an attack in numbers (resets before an answer, pings,
   * settings, empty DATA, PRIORITY, window updates of nothing). The bucket leaks `glitchesPerSecond`.
   */
  readonly glitches: number;
  readonly glitchesPerSecond: number;
  /** Control frames queued for a peer that does not read. */
  readonly queuedControlBytes: number;
}

export const H2_LIMITS: H2Limits = {
  concurrentStreams: 1024,
  tableBytes: 16 * 1024,
  headerBlockBytes: 60 * 1024,
  continuationFrames: 8,
  headerListBytes: 64 * 1024,
  headerFields: 100,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 8 * 1024 * 1024,
  frameBytes: 16 * 1024,
  sendBufferBytes: 64 * 1024,
  glitches: 1000,
  glitchesPerSecond: 100,
  queuedControlBytes: 64 * 1024,
};
