/**
 * The sockets of this process, kept below the number of descriptors the system allows it. At that number
 * itself the runtime (Deno 2.9.6) stops accepting on a listener, without a word and for good.
 *
 *   0 ────────── accept and dial ──────── ¾ ── dial only ── limit − reserve ── neither
 *
 * Who was let in must still reach a backend: therefore accepting ends first.
 */
import type { Server } from "node:net";
import type { Log } from "../core/log.ts";
import type { Gauge, Metrics } from "../core/metrics.ts";

/** Where the limit cannot be read: the least that usual systems allow. */
export const LEAST_DESCRIPTORS = 1024;
/** For files, the event loop, the admin page, the control plane, name servers. */
export const RESERVE = 64;
/** The runtime accepts so many in a row of one server before it asks. */
export const BATCH = 128;
const ACCEPT_SHARE = 0.75;

export class Sockets {
  readonly limit: number;
  readonly #servers = new Set<Server>();
  readonly #gauge: Gauge;
  readonly #log: Log;
  #dialled = 0;
  #full = false;

  constructor(limit: number, metrics: Metrics, log: Log) {
    this.limit = limit;
    this.#log = log;
    this.#gauge = metrics.gauge("denim_sockets_open", "Connections of the process, both ways");
    metrics.gauge("denim_sockets_limit", "Descriptors the system allows").set(limit);
  }

  get open(): number {
    let open = this.#dialled;
    for (const server of this.#servers) open += accepted(server);
    return open;
  }
  get mayAccept(): boolean {
    return this.open < this.#usable * ACCEPT_SHARE;
  }
  get mayDial(): boolean {
    return this.open < this.#usable;
  }
  get #usable(): number {
    return this.limit - RESERVE - BATCH * this.#servers.size;
  }

  /** Tells how it stands; called every second. */
  sweep(): void {
    const { open, limit, mayAccept } = this;
    this.#gauge.set(open);
    if (this.#full === !mayAccept) return;
    this.#full = !mayAccept;
    if (this.#full) {
      const hint = "raise the system's limit (ulimit -Hn), or tell it by --limit max-descriptors";
      this.#log.warn("sockets.full", { open, limit, hint });
    } else this.#log.info("sockets.free", { open, limit });
  }

  dialled(): void {
    this.#dialled++;
  }
  closed(): void {
    this.#dialled--;
  }

  /** Sockets over `most` of this server, or over what the process may have, are closed as they come. */
  bound(server: Server, most: number): void {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
    // The runtime asks at each connection, before it makes a socket of it.
    Object.defineProperty(server, "maxConnections", {
      // 0 would mean no limit; so one is let in where there is none.
      get: () => accepted(server) < most && this.mayAccept ? most : 1,
    });
  }
}

/** getConnections() would tell in a later turn. */
function accepted(server: Server): number {
  return (server as unknown as { readonly _connections: number })._connections;
}

/** Descriptors this process may have; null where it may not read that. */
export function descriptorLimit(): number | null {
  try {
    // Who was not asked for the right at the start should not be asked now.
    if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return null;
    const limits = Deno.readTextFileSync("/proc/self/limits");
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null; // another system, or not the right to
  }
}
