/** A worker without a process, for tests of what is done with workers. */
import type { Ending, Worker, WorkerReady } from "./worker.ts";

export class FakeWorker implements Worker {
  readonly #ready = Promise.withResolvers<WorkerReady>();
  readonly #ended = Promise.withResolvers<Ending>();
  readonly signals: string[] = [];
  readonly pid: number;
  /** Whether it has nothing to drain. */
  readonly #idle: boolean;

  constructor(pid: number, idle = true) {
    this.pid = pid;
    this.#idle = idle;
    this.#ready.promise.catch(() => {});
  }
  get ready(): Promise<WorkerReady> {
    return this.#ready.promise;
  }
  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.signals.push(signal);
    if (signal === "SIGTERM" && this.#idle) this.end(0);
  }
  serve(listeners: Readonly<Record<string, string>> = {}): void {
    const { pid } = this;
    this.#ready.resolve({ inbound: null, outbound: null, listeners, admin: "", pid });
  }
  end(code: number): void {
    this.#ready.reject(new Error("ended"));
    this.#ended.resolve({ code, signal: null });
  }
}
