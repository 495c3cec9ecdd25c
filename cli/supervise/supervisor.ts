/**
 * A small parent of proxy processes: keeps their ports open while they crash, restart or are replaced.
 *
 * Workers are processes, not threads: a panic of the runtime or a full heap ends one of them only, and
 * each has its own heap limit. Every worker has a socket of its own at the same port (SO_REUSEPORT), so
 * the kernel spreads connections, and its own session with the control plane: a worker needs no other
 * process to get its configuration or to renew its certificate. Worker 0 speaks for the workload.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import type { AdminPlace, Bind } from "../../proxy/options.ts";
import type { AdminDoor } from "../../proxy/admin/door.ts";
import { type ServingWorker, startSupervisorAdmin } from "./admin.ts";
import { type HeldSocket, holdSocket } from "./held_socket.ts";
import { Slot } from "./slot.ts";
import { startWorker, type Worker, type WorkerReady, type WorkerSpec } from "./worker.ts";

export interface SupervisorOptions {
  readonly workers: number;
  /** Listeners known before a worker runs: a sidecar's two. Others are held as soon as a worker opened them. */
  readonly listeners: ReadonlyMap<string, Bind>;
  readonly admin: AdminPlace;
  /** Arguments of the Deno executable for one worker. */
  readonly workerArgs: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** Default: a process of its own. */
  readonly startWorker?: (spec: WorkerSpec) => Worker;
}

export interface SupervisorReady extends WorkerReady {
  readonly ready: true;
  readonly workers: readonly { readonly worker: number; readonly pid: number }[];
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #metrics = new Metrics();
  readonly #admin: AdminDoor;
  readonly #slots: Slot[] = [];
  /** By worker, then by listener name. */
  readonly #sockets: Map<string, HeldSocket>[] = [];
  /** Hand-overs run one after the other. */
  #work: Promise<void> = Promise.resolve();

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#admin = startSupervisorAdmin(options.admin, {
      metrics: this.#metrics,
      workers: () => this.#serving(),
    });
  }

  /** Resolves when all workers serve; rejects with the reason of the first that does not. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    try {
      await supervisor.#start();
      return supervisor;
    } catch (e) {
      await supervisor.stop();
      throw e;
    }
  }

  ready(): SupervisorReady {
    const first = this.#slots[0]?.ready;
    if (first === null || first === undefined) throw new Error("No worker serves yet");
    return {
      ready: true,
      inbound: first.inbound,
      outbound: first.outbound,
      listeners: first.listeners,
      admin: this.#admin.url,
      pid: Deno.pid,
      workers: this.#slots.map((slot, worker) => ({ worker, pid: slot.ready?.pid ?? 0 })),
    };
  }

  /** Every worker is replaced by a new process of the code that is on disk now, one after the other. */
  handOver(): Promise<void> {
    this.#work = this.#work.then(async () => {
      for (const [worker, slot] of this.#slots.entries()) {
        try {
          const { pid, listeners } = await slot.replace();
          this.#options.log.info("worker.replaced", { worker, pid });
          // Those that a Gateway was given since: for the next worker.
          this.#holdOpened(listeners, this.#sockets[worker]!);
        } catch (e) {
          const reason = e instanceof Error ? e.message : String(e);
          return this.#options.log.error("worker.not_replaced", { worker, reason });
        }
      }
    });
    return this.#work;
  }

  /** Drains all workers and ends. */
  async stop(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.stop()));
    for (const sockets of this.#sockets) for (const socket of sockets.values()) socket.close();
    await this.#admin.close();
  }

  async #start(): Promise<void> {
    const { listeners, workers } = this.#options;
    const first = new Map<string, HeldSocket>();
    for (const [name, { host, port }] of listeners) first.set(name, holdSocket(host, port));
    // The first alone: it may have to redeem a join token, which works once.
    const slot = this.#slot(first);
    const { listeners: opened } = await slot.start();
    if (this.#holdOpened(opened, first)) await slot.replace();
    const serving: Promise<unknown>[] = [];
    while (this.#slots.length < workers) {
      const sockets = new Map<string, HeldSocket>();
      for (const [name, { host, port }] of first) sockets.set(name, holdSocket(host, port));
      serving.push(this.#slot(sockets).start());
    }
    // A worker that bound the ports itself must be gone before anybody is told to connect: the kernel
    // gives its sockets a share of the connections, and resets what still waits there when they close.
    serving.push(slot.settled());
    await Promise.all(serving);
  }

  /** Listeners of a Gateway are known once a worker has opened them; true when some were not held yet. */
  #holdOpened(opened: Readonly<Record<string, string>>, sockets: Map<string, HeldSocket>): boolean {
    let any = false;
    for (const [name, address] of Object.entries(opened)) {
      const colon = address.lastIndexOf(":");
      const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
      const port = Number(address.slice(colon + 1));
      const held = sockets.get(name);
      if (held?.port === port) continue;
      held?.close(); // it has moved
      sockets.set(name, holdSocket(host, port));
      any = true;
    }
    return any;
  }

  #slot(sockets: Map<string, HeldSocket>): Slot {
    const index = this.#slots.length;
    const { workerArgs: args, startWorker: start = startWorker } = this.#options;
    const labels = { worker: String(index) };
    const slot = new Slot({
      start: (): Worker => start({ index, args, admin: this.#admin.url, sockets }),
      clock: this.#options.clock,
      log: this.#options.log.with({ worker: index }),
      crashes: this.#metrics.counter(
        "denim_worker_crashes_total",
        "Proxy processes that ended unasked",
        labels,
      ),
      handOvers: this.#metrics.counter(
        "denim_worker_replacements_total",
        "Proxy processes replaced by a new one on the same ports",
        labels,
      ),
      up: this.#metrics.gauge("denim_worker_up", "Whether the worker serves", labels),
      later: (ms, then) => {
        const timer = setTimeout(then, ms);
        return () => clearTimeout(timer);
      },
    });
    this.#slots.push(slot);
    this.#sockets.push(sockets);
    return slot;
  }

  #serving(): ReadonlyMap<number, ServingWorker> {
    const found = new Map<number, ServingWorker>();
    for (const [worker, slot] of this.#slots.entries()) {
      if (slot.ready !== null) found.set(worker, slot.ready);
    }
    return found;
  }
}
