/**
 * The listeners that are open: those a sidecar opens for itself, and those the snapshot in force places.
 * What a snapshot changes takes three steps, so that it is in force whole or not at all:
 *
 *   renames() ──▶ open() ──▶ commit()
 *   which stay    what is    names, routes and ends
 *                 new binds
 *
 * A socket is what it is by its place, and names come and go: a listener that is called otherwise at the
 * same port keeps its socket, its connections and whoever waits in its queue.
 */
import type { InboundReport } from "../control/schema/protocol.ts";
import type { ListenerSpec, Snapshot } from "../control/schema/snapshot.ts";
import type { BindOptions } from "./bind.ts";
import { buildListener, type ListenerParts, type ListenerPlace } from "./build_listener.ts";
import type { Prepared } from "./certificates.ts";
import type { RuntimeSnapshot } from "./config/runtime.ts";
import type { Listener } from "./listener.ts";
import { upstreamListener } from "./options.ts";
import type { ListenerRuntime } from "./snapshot.ts";
import type { EdgeTls } from "./tls/mod.ts";

/** A bound socket that a supervisor handed down. */
export interface InheritedSocket {
  readonly fd: number;
  readonly host: string;
  readonly port: number;
}

export interface ListenersOptions {
  /** Address that listeners named by the snapshot bind to when they name none. */
  readonly listenAddress: string;
  /** They share their ports with other processes that do so too. */
  readonly reusePort?: boolean;
  /** By listener name. */
  readonly inherited?: ReadonlyMap<string, InheritedSocket>;
}

/** Where a snapshot wants a listener, and what it is to be there. */
interface Wanted extends Pick<ListenerSpec, "tls" | "protocol"> {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
}

interface Open {
  readonly listener: Listener;
  /** `host:port`. */
  readonly address: string;
  /** Null: the sidecar's own, which no snapshot places. */
  readonly wanted: Wanted | null;
}

/** By the new name, the one it has had so far. */
export type Renames = ReadonlyMap<string, string>;

/** What is bound and not in force yet. */
export interface Opening {
  readonly renames: Renames;
  readonly opened: ReadonlyMap<string, Open>;
}

/** For what runs on a listener that the configuration no longer has. */
const CLOSING_MS = 30_000;

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #parts: () => ListenerParts;
  #open = new Map<string, Open>();
  /** Sockets that were handed down and nobody has taken yet. */
  readonly #inherited: Map<string, InheritedSocket>;
  /** Listeners of bare TCP that serve the outbound routes, by name; the `host:port` each stands for. */
  readonly #upstreams = new Map<string, string>();

  /** `parts`: what each needs beside its place, as it is when it opens. */
  constructor(options: ListenersOptions, parts: () => ListenerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#inherited = new Map(options.inherited);
  }

  /** `host:port` by name. */
  get addresses(): ReadonlyMap<string, string> {
    return new Map([...this.#open].map(([name, { address }]) => [name, address]));
  }

  /** Opens a listener of the sidecar's own; `runtime` until a snapshot names it. */
  async openOwn(
    role: "inbound" | "outbound",
    { host, port }: { readonly host: string; readonly port: number },
    runtime: ListenerRuntime,
    name: string = role,
  ): Promise<string> {
    const listener = this.#build(
      { name, role, tls: role === "inbound" ? "mesh" : "none" },
      runtime,
    );
    const address = await this.#bind(listener, host, port);
    this.#open.set(name, { listener, address, wanted: null });
    return address;
  }

  /** Opens a local port whose connections all become tunnels to `authority`, by the outbound routes. */
  async openUpstream(
    authority: string,
    place: { readonly host: string; readonly port: number },
    runtime: ListenerRuntime,
  ): Promise<string> {
    const name = upstreamListener(authority);
    this.#upstreams.set(name, authority);
    return await this.openOwn("outbound", place, runtime, name);
  }

  /** What a listener is to do with requests by `runtime`; undefined: nothing. */
  routesOf(name: string, runtime: RuntimeSnapshot | null): ListenerRuntime | undefined {
    return runtime?.listeners.get(this.#upstreams.has(name) ? "outbound" : name);
  }

  /** What came to the workload with mTLS and without; null without an inbound listener. */
  inboundReport(): InboundReport | null {
    return this.#open.get("inbound")?.listener.inboundReport() ?? null;
  }

  /** Listeners that stay where they are under another name. */
  renames(snapshot: Snapshot): Renames {
    const renames = new Map<string, string>();
    const kept = this.#kept(snapshot, renames);
    for (const spec of snapshot.listeners) {
      if (spec.port === undefined || spec.port === 0 || this.#stays(spec)) continue;
      for (const [former, open] of this.#open) {
        if (kept.has(former) || !this.#isAt(open, spec)) continue;
        renames.set(spec.name, former);
        kept.add(former);
        break;
      }
    }
    return renames;
  }

  /** Opens what the snapshot places and is not open yet; all or none. */
  async open(
    snapshot: Snapshot,
    runtime: RuntimeSnapshot,
    { renames, certificates }: { readonly renames: Renames; readonly certificates: Prepared },
  ): Promise<Opening> {
    const opened = new Map<string, Open>();
    const kept = this.#kept(snapshot, renames);
    try {
      for (const spec of snapshot.listeners) {
        if (spec.port === undefined || renames.has(spec.name) || this.#stays(spec)) continue;
        const { name, port, proxyProtocol = [] } = spec;
        this.#vacate(port, kept);
        const edge = certificates.listeners.get(name)?.tls;
        const listener = this.#build(spec, runtime.listeners.get(name)!, edge);
        listener.trust(proxyProtocol);
        const host = this.#hostOf(spec);
        const address = await this.#bind(listener, host, port);
        opened.set(name, { listener, address, wanted: { host, port, ...kindOf(spec) } });
      }
    } catch (e) {
      for (const { listener } of opened.values()) await listener.drain(0);
      throw e;
    }
    return { renames, opened };
  }

  /** The snapshot is in force: its names and routes hold, and what only `old` had ends in its time. */
  commit(
    { renames, opened }: Opening,
    snapshot: Snapshot,
    runtime: RuntimeSnapshot,
    old: RuntimeSnapshot | null,
  ): void {
    const next = new Map(this.#open);
    for (const former of renames.values()) next.delete(former);
    const put = (name: string, open: Open): void => {
      void next.get(name)?.listener.drain(CLOSING_MS); // it has moved
      next.set(name, open);
    };
    for (const [name, former] of renames) {
      const open = this.#open.get(former)!; // not closed meanwhile: open() keeps what is renamed
      open.listener.rename(name);
      put(name, open);
    }
    for (const [name, open] of opened) put(name, open);
    this.#open = next;
    for (const { name, proxyProtocol = [] } of snapshot.listeners) {
      next.get(name)?.listener.trust(proxyProtocol);
    }
    for (const [name, { listener }] of next) {
      const routes = this.routesOf(name, runtime);
      if (routes !== undefined) listener.runtime = routes;
      else if (old?.listeners.has(name)) this.#close(name);
    }
    // After the routes, which say what of it each port lets in.
    for (const { name, tls } of snapshot.listeners) {
      if (tls !== "edge") next.get(name)?.listener.admit(tls);
    }
  }

  /** Ends every listener gracefully, the workload's own way out last: its last answers may need it. */
  async drain(deadlineMs: number): Promise<void> {
    const own = (name: string): boolean => name === "outbound" || this.#upstreams.has(name);
    for (const turn of [false, true]) {
      const ending = [...this.#open].filter(([name]) => own(name) === turn);
      await Promise.all(ending.map(([, { listener }]) => listener.drain(deadlineMs)));
    }
  }

  /** To be called every second. */
  sweep(): void {
    for (const { listener } of this.#open.values()) listener.sweep();
  }

  /** Names, as they are so far, of those that stay open. */
  #kept(snapshot: Snapshot, renames: Renames): Set<string> {
    const staying = snapshot.listeners.filter((spec) => this.#stays(spec));
    return new Set([...renames.values(), ...staying.map(({ name }) => name)]);
  }

  /** Open already under this name, and where and as what it is wanted. */
  #stays(spec: ListenerSpec): boolean {
    const open = this.#open.get(spec.name);
    return open !== undefined && (open.wanted === null || this.#isAt(open, spec));
  }

  /** Whether it has the very place, and is what is wanted there. */
  #isAt({ address, wanted }: Open, spec: ListenerSpec): boolean {
    if (wanted === null || wanted.host !== this.#hostOf(spec)) return false;
    if (wanted.tls !== spec.tls || wanted.protocol !== spec.protocol) return false;
    return wanted.port === spec.port || address.endsWith(`:${spec.port}`);
  }

  /** Closes what has the port and is not to have it any more; what runs on it ends in its time. */
  #vacate(port: number, kept: ReadonlySet<string>): void {
    for (const [name, { address, wanted }] of this.#open) {
      if (wanted !== null && !kept.has(name) && address.endsWith(`:${port}`)) this.#close(name);
    }
  }

  #close(name: string): void {
    const open = this.#open.get(name);
    this.#open.delete(name);
    void open?.listener.drain(CLOSING_MS);
  }

  #hostOf({ address }: ListenerSpec): string {
    return address ?? this.#options.listenAddress;
  }

  async #bind(listener: Listener, host: string, port: number): Promise<string> {
    const bound = await listener.listen(...this.#place(listener.name, host, port));
    return `${bound.host}:${bound.port}`;
  }

  /** Where a listener binds: the socket handed down for it, or for one that had another name there. */
  #place(name: string, host: string, port: number): [string, number, BindOptions] {
    for (const [held, socket] of this.#inherited) {
      const own = held === name && port === 0;
      if (!own && (socket.port !== port || socket.host !== host && held !== name)) continue;
      this.#inherited.delete(held); // its descriptor closes with the listener
      return [socket.host, socket.port, { fd: socket.fd }];
    }
    return [host, port, { reusePort: this.#options.reusePort ?? false }];
  }

  #build(
    { name, role, tls, protocol }: Pick<ListenerSpec, "name" | "role" | "tls" | "protocol">,
    runtime: ListenerRuntime,
    edge?: EdgeTls,
  ): Listener {
    const authority = (): string =>
      this.#upstreams.get(listener.name) ?? this.#open.get(listener.name)?.address ?? "";
    const bare = protocol !== undefined || this.#upstreams.has(name);
    const place: ListenerPlace = {
      name,
      role,
      tls,
      ...(edge === undefined ? {} : { edge }),
      ...(bare ? { tunnel: { authority, tls: protocol === "tls" } } : {}),
    };
    const listener = buildListener(place, runtime, this.#parts());
    return listener;
  }
}

function kindOf({ tls, protocol }: ListenerSpec): Pick<ListenerSpec, "tls" | "protocol"> {
  return protocol === undefined ? { tls } : { tls, protocol };
}
