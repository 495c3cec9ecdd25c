/** Stands on a connection until the handshake has shown what the peer speaks. */
import { type Codec, HEAD } from "../core/stream.ts";

export const PENDING_CODEC: Codec = {
  protocol: "h2",
  phase: HEAD,
  receive() {}, // nothing arrives before the handshake is over
  eof() {},
  drained() {},
  drain() {},
  close() {},
};
