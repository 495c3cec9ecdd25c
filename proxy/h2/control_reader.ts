/** Frames that carry no message: PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE (RFC 9113 6.3–6.9). */
import { FAULTS } from "../../core/fault.ts";
import * as f from "./frame.ts";
import type { FrameHost } from "./frame_host.ts";
import { SETTINGS_ACK } from "./settings.ts";
import { resetFault } from "./stream.ts";

export class ControlReader {
  readonly #host: FrameHost;
  /** SETTINGS of ours without an answer. */
  settingsUnacked = 1;
  /** PINGs of ours without an answer. */
  pingsUnacked = 0;

  constructor(host: FrameHost) {
    this.#host = host;
  }

  /** RFC 9113 5.3.2: deprecated; only its form is checked. */
  priority(id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (id === 0) return host.error(f.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (payload.length !== 5) return host.streamError(id, f.FRAME_SIZE_ERROR);
    if ((f.u32(payload, 0) & 0x7fffffff) === id) return host.streamError(id, f.PROTOCOL_ERROR);
    return host.spend("priority");
  }

  reset(id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (payload.length !== 4) return host.error(f.FRAME_SIZE_ERROR, "RST_STREAM");
    if (id === 0 || host.isIdle(id)) {
      return host.error(f.PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    }
    const stream = host.streams.get(id);
    if (stream === undefined) return host.glitch("closed_stream");
    const code = f.u32(payload, 0);
    // CVE-2023-44487: opening and resetting costs the peer nothing and us a request each.
    if (host.role === "server") {
      if (!host.glitch("reset")) return false;
      stream.peerReset(code, FAULTS["downstream.gone"]);
    } else stream.peerReset(code, resetFault(code));
    return !host.failed;
  }

  settings(flags: number, id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (id !== 0) return host.error(f.PROTOCOL_ERROR, "SETTINGS on a stream");
    if (flags & f.FLAG_ACK) {
      if (payload.length !== 0) return host.error(f.FRAME_SIZE_ERROR, "SETTINGS ack");
      if (this.settingsUnacked === 0) return host.glitch("ack");
      this.settingsUnacked--;
      return true;
    }
    const before = host.peer.initialWindow;
    const error = host.peer.read(payload, host.role === "client");
    if (error !== f.NO_ERROR) return host.error(error, "SETTINGS");
    host.sender.encoder.resize(host.peer.headerTableBytes);
    host.sender.frameBytes = host.peer.frameBytes;
    const delta = host.peer.initialWindow - before;
    for (const stream of host.streams.all()) {
      stream.sendWindow += delta; // 6.9.2: may go below zero
      if (stream.sendWindow > f.MAX_WINDOW) return host.error(f.FLOW_CONTROL_ERROR, "SETTINGS");
    }
    if (!host.control(SETTINGS_ACK) || !host.glitch("settings")) return false;
    host.sender.pumpAll(host.streams.all());
    host.peerSettings();
    return !host.failed;
  }

  ping(flags: number, id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (id !== 0) return host.error(f.PROTOCOL_ERROR, "PING on a stream");
    if (payload.length !== 8) return host.error(f.FRAME_SIZE_ERROR, "PING");
    if ((flags & f.FLAG_ACK) === 0) {
      return host.control(f.pingAckFrame(payload)) && host.spend("ping");
    }
    if (this.pingsUnacked === 0) return host.glitch("ack");
    this.pingsUnacked--;
    host.pingAcked();
    return !host.failed;
  }

  goaway(id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (id !== 0) return host.error(f.PROTOCOL_ERROR, "GOAWAY on a stream");
    if (payload.length < 8) return host.error(f.FRAME_SIZE_ERROR, "GOAWAY too short");
    return host.goaway(f.u32(payload, 0) & 0x7fffffff, f.u32(payload, 4)) && host.spend("goaway");
  }

  windowUpdate(id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (payload.length !== 4) return host.error(f.FRAME_SIZE_ERROR, "WINDOW_UPDATE");
    const increment = f.u32(payload, 0) & 0x7fffffff;
    if (id === 0) {
      if (increment === 0) return host.error(f.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      if (!host.sender.widen(increment)) {
        return host.error(f.FLOW_CONTROL_ERROR, "connection window");
      }
      return !host.failed && host.spend("window_update");
    }
    if (host.isIdle(id)) return host.error(f.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    const stream = host.streams.get(id);
    if (stream === undefined) return host.spend("window_update"); // 5.1: may arrive after the stream has closed
    if (increment === 0) return host.streamError(id, f.PROTOCOL_ERROR);
    if (stream.sendWindow + increment > f.MAX_WINDOW) {
      return host.streamError(id, f.FLOW_CONTROL_ERROR);
    }
    stream.sendWindow += increment;
    host.sender.pump(stream);
    return !host.failed && host.spend("window_update");
  }
}
