/** One worker process: a proxy on sockets that its supervisor holds. */
import { type ChildProcess, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { PROXY_ENV } from "../../proxy/launch.ts";
import { readLines } from "../local/log_file.ts";
import type { HeldSocket } from "./held_socket.ts";

/** What a proxy prints once it serves. */
export interface WorkerReady {
  readonly inbound: string | null;
  readonly outbound: string | null;
  readonly listeners: Readonly<Record<string, string>>;
  readonly admin: string;
  readonly pid: number;
}

export interface WorkerSpec {
  readonly index: number;
  /** Arguments of the Deno executable, up to and with the verb and its flags. */
  readonly args: readonly string[];
  readonly admin: string;
  readonly sockets: ReadonlyMap<string, HeldSocket>;
}

/** How a process ended; null for what does not apply. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A running worker as its slot sees it. */
export interface Worker {
  readonly pid: number;
  /** Rejects when it ends before it serves. */
  readonly ready: Promise<WorkerReady>;
  readonly ended: Promise<Ending>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** First descriptor after standard input, output and error. */
const FIRST_FD = 3;

export function startWorker(spec: WorkerSpec): Worker {
  const sockets: Record<string, { fd: number; host: string; port: number }> = {};
  const fds: number[] = [];
  for (const [name, { host, port, fd }] of spec.sockets) {
    sockets[name] = { fd: FIRST_FD + fds.length, host, port };
    fds.push(fd);
  }
  const told = JSON.stringify({ worker: spec.index, admin: spec.admin, sockets });
  const child = spawn(Deno.execPath(), [...spec.args, "--supervised", told], {
    stdio: ["ignore", "pipe", "inherit", ...fds],
    env: { ...Deno.env.toObject(), ...PROXY_ENV },
    // Its own process group: Ctrl-C reaches the supervisor only, which then drains all in good order.
    detached: true,
  });
  return new Process(child);
}

class Process implements Worker {
  readonly pid: number;
  readonly ready: Promise<WorkerReady>;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    const ready = Promise.withResolvers<WorkerReady>();
    ready.promise.catch(() => {}); // who does not wait for it hears of the end
    this.ready = ready.promise;
    this.ended = new Promise((resolve) => {
      child.on("error", (e) => {
        ready.reject(new Error(`Cannot start a worker: ${e.message}`));
        resolve({ code: null, signal: null });
      });
      child.on("exit", (code, signal) => {
        ready.reject(new Error(`The worker ended with ${tell({ code, signal })} before it served`));
        resolve({ code, signal });
      });
    });
    const lines = Readable.toWeb(child.stdout!) as ReadableStream<Uint8Array>;
    readLines(lines, (line) => {
      if (line.startsWith('{"ready":true')) ready.resolve(JSON.parse(line));
    }).catch(() => {});
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(signal);
  }
}

export function tell({ code, signal }: Ending): string {
  return signal === null ? `code ${code}` : `signal ${signal}`;
}
