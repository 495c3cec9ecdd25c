/**
 * Whether a silent peer is still there: streams of gRPC may rest for hours, so silence alone says nothing.
 *
 *   quiet for pingAfterMs ──▶ PING ──▶ anything at all comes: alive
 *                                  └──▶ nothing for pingTimeoutMs: gone
 */
import type { H2Limits } from "./limits.ts";

export class Liveness {
  /** Something has come in since the last look. Set by the reader. */
  heard = false;
  #quietSinceMs = 0;
  #pingedMs = 0;

  /** Called each second. `waiting`: streams are open; without any, the idle timeout is enough. */
  look(limits: H2Limits, nowMs: number, waiting: boolean): "stay" | "ping" | "gone" {
    if (this.heard || !waiting || this.#quietSinceMs === 0) {
      this.heard = false;
      this.#quietSinceMs = nowMs;
      this.#pingedMs = 0;
      return "stay";
    }
    if (this.#pingedMs > 0) return nowMs - this.#pingedMs > limits.pingTimeoutMs ? "gone" : "stay";
    if (nowMs - this.#quietSinceMs <= limits.pingAfterMs) return "stay";
    this.#pingedMs = nowMs;
    return "ping";
  }
}
