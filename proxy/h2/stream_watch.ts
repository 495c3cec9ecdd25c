/** How long one stream may keep us waiting, in either direction: a look each second, as patience.ts has for connections. */
import type { H2Limits } from "./limits.ts";
import { type H2Stream, IDLE, OPEN } from "./stream.ts";

/** `stalled`: it does not take what we send. `late`: its request's body comes too slowly. */
export type StreamPatience = "stay" | "stalled" | "late";

/** The memory between two looks at one stream; made at the first look, which few streams live to see. */
export class StreamWatch {
  #sendSinceMs: number;
  #sent: number;
  #bodySinceMs: number;
  #came: number;

  constructor(stream: H2Stream, nowMs: number) {
    this.#sendSinceMs = this.#bodySinceMs = nowMs;
    this.#sent = stream.moved;
    this.#came = stream.came;
  }

  /** `bodyWanted`: nothing but the peer itself keeps the stream's body back. */
  look(stream: H2Stream, limits: H2Limits, nowMs: number, bodyWanted: boolean): StreamPatience {
    if (this.#stalls(stream, limits, nowMs)) return "stalled";
    return this.#isLate(stream, limits, nowMs, bodyWanted) ? "late" : "stay";
  }

  /** A window that opens by a byte now and then is as shut as one that does not open (CVE-2019-9511). */
  #stalls(stream: H2Stream, limits: H2Limits, nowMs: number): boolean {
    const lasted = nowMs - this.#sendSinceMs;
    const waits = stream.queue.length > 0 && !isTunnel(stream);
    if (waits && lasted <= limits.windowStallMs) return false;
    const sent = stream.moved - this.#sent;
    this.#sendSinceMs = nowMs;
    this.#sent = stream.moved;
    return waits && sent < limits.windowStallBytes;
  }

  /**
   * Only until the answer begins: after that it is a conversation, in which a client may pause. A body
   * of undeclared length may be a conversation before that (gRPC), so it must only not fall silent.
   */
  #isLate(stream: H2Stream, limits: H2Limits, nowMs: number, wanted: boolean): boolean {
    const declared = stream.expected >= 0;
    const waits = wanted && stream.in === OPEN && stream.out === IDLE && !stream.paused;
    const lasted = nowMs - this.#bodySinceMs;
    if (waits && lasted <= (declared ? limits.bodyTimeoutMs : limits.bodySilenceMs)) return false;
    const came = stream.came - this.#came;
    this.#bodySinceMs = nowMs;
    this.#came = stream.came;
    if (!waits) return false;
    return declared ? came < (limits.bodyMinRate * lasted) / 1000 : came === 0;
  }
}

/** Bare TCP may rest for as long as it likes with its reader busy: tunnels have a limit of their own. */
function isTunnel({ switched, tunnel }: H2Stream): boolean {
  return switched && tunnel?.upgrade === "connect";
}
