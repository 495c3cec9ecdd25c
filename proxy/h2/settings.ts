/** SETTINGS of a peer and of ours (RFC 9113 6.5). */
import {
  DEFAULT_WINDOW,
  FLAG_ACK,
  FLOW_CONTROL_ERROR,
  frame,
  FRAME_HEADER_BYTES,
  FRAME_SIZE_ERROR,
  MAX_MAX_FRAME_BYTES,
  MAX_WINDOW,
  MIN_MAX_FRAME_BYTES,
  NO_ERROR,
  PROTOCOL_ERROR,
  putU32,
  SETTINGS,
  u16,
  u32,
} from "./frame.ts";
import type { H2Limits } from "./limits.ts";

const HEADER_TABLE_SIZE = 1, ENABLE_PUSH = 2, MAX_CONCURRENT_STREAMS = 3, INITIAL_WINDOW_SIZE = 4;
const MAX_FRAME_SIZE = 5, MAX_HEADER_LIST_SIZE = 6, ENABLE_CONNECT_PROTOCOL = 8;

/** What the peer allows us; begins with the protocol's defaults. */
export class PeerSettings {
  headerTableBytes = 4096;
  concurrentStreams = Infinity;
  initialWindow = DEFAULT_WINDOW;
  frameBytes = MIN_MAX_FRAME_BYTES;
  connectProtocol = false;

  /** Takes in a SETTINGS payload; returns NO_ERROR or the code of the connection error it is. */
  read(payload: Uint8Array, fromServer: boolean): number {
    if (payload.length % 6 !== 0) return FRAME_SIZE_ERROR;
    for (let at = 0; at < payload.length; at += 6) {
      const error = this.#set(u16(payload, at), u32(payload, at + 2), fromServer);
      if (error !== NO_ERROR) return error;
    }
    return NO_ERROR;
  }

  #set(id: number, value: number, fromServer: boolean): number {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return NO_ERROR;
      case ENABLE_PUSH: // RFC 9113 6.5.2: a server must not send 1
        return value > 1 || (fromServer && value === 1) ? PROTOCOL_ERROR : NO_ERROR;
      case MAX_CONCURRENT_STREAMS:
        this.concurrentStreams = value;
        return NO_ERROR;
      case INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) return FLOW_CONTROL_ERROR;
        this.initialWindow = value;
        return NO_ERROR;
      case MAX_FRAME_SIZE:
        if (value < MIN_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) return PROTOCOL_ERROR;
        this.frameBytes = value;
        return NO_ERROR;
      case ENABLE_CONNECT_PROTOCOL: // RFC 8441 3: 0 or 1, and never back to 0
        if (value > 1 || (this.connectProtocol && value === 0)) return PROTOCOL_ERROR;
        this.connectProtocol = value === 1;
        return NO_ERROR;
      default: // MAX_HEADER_LIST_SIZE is advice; unknown ones are ignored (RFC 9113 6.5.2)
        return NO_ERROR;
    }
  }
}

/** The SETTINGS frame we begin with. */
export function ownSettings(limits: H2Limits, role: "server" | "client"): Uint8Array {
  const pairs: [number, number][] = [
    [HEADER_TABLE_SIZE, limits.tableBytes],
    [INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
    [MAX_FRAME_SIZE, Math.max(MIN_MAX_FRAME_BYTES, limits.frameBytes)],
    [MAX_HEADER_LIST_SIZE, limits.headerListBytes],
    role === "server" ? [MAX_CONCURRENT_STREAMS, limits.concurrentStreams] : [ENABLE_PUSH, 0],
  ];
  if (role === "server") pairs.push([ENABLE_CONNECT_PROTOCOL, 1]);
  const bytes = frame(pairs.length * 6, SETTINGS, 0, 0);
  pairs.forEach(([id, value], i) => {
    const at = FRAME_HEADER_BYTES + i * 6;
    bytes[at] = id >>> 8;
    bytes[at + 1] = id;
    putU32(bytes, at + 2, value);
  });
  return bytes;
}

export const SETTINGS_ACK: Uint8Array = frame(0, SETTINGS, FLAG_ACK, 0);
