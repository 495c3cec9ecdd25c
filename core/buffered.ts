/**
 * Bytes this process holds because somebody reads or answers slowly: write queues above their mark and
 * request bodies kept for a retry. Each holder is bounded by itself; this is their sum, so that many of
 * them together are bounded too.
 */
export class Buffered {
  bytes = 0;
  /** The sum is high: hold less, repeat nothing. Set by the one who watches the sum. */
  tight = false;

  add(bytes: number): void {
    this.bytes += bytes;
  }
  remove(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** The one of this process: memory is one per process too. */
export const BUFFERED = new Buffered();
