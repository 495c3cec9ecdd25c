/** Whether the workload beside a sidecar accepts connections: asked every second, told to the control plane. */
import { connect } from "node:net";
import type { Log } from "../core/log.ts";

export const PROBE_MS = 1000;
export const PROBE_TIMEOUT_MS = 1000;
/** Failed probes in a row before a healthy workload counts as gone: one may be a full backlog. */
export const FAILURES = 2;

export class AppHealth {
  readonly #host: string;
  readonly #port: number;
  readonly #log: Log;
  readonly #timer: ReturnType<typeof setInterval>;
  #healthy = false;
  #failures = 0;
  #probing = false;

  constructor(host: string, port: number, log: Log) {
    this.#host = host;
    this.#port = port;
    this.#log = log;
    this.#timer = setInterval(() => this.#probe(), PROBE_MS);
    this.#probe();
  }

  get healthy(): boolean {
    return this.#healthy;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #probe(): void {
    if (this.#probing) return;
    this.#probing = true;
    let answered = false;
    const socket = connect({ host: this.#host, port: this.#port });
    socket.setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy());
    socket.on("connect", () => {
      answered = true;
      socket.destroy();
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.#probing = false;
      this.#took(answered);
    });
  }

  #took(answered: boolean): void {
    this.#failures = answered ? 0 : this.#failures + 1;
    const healthy = answered || (this.#healthy && this.#failures < FAILURES);
    if (healthy === this.#healthy) return;
    this.#healthy = healthy;
    const app = `${this.#host}:${this.#port}`;
    if (healthy) this.#log.info("app.up", { app });
    else {this.#log.warn("app.down", {
        app,
        hint: "no traffic is sent here until it accepts connections",
      });}
  }
}
