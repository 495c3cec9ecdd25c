/** A compiled snapshot: matchers, backends and filters that live and go together. */
import type { Random } from "../../core/clock.ts";
import type { Filter } from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import type { ListenerSpec, RouteSpec, Snapshot } from "../../control/schema/snapshot.ts";
import {
  compileRoutes,
  type EscapedSlashes,
  type Matcher,
  normalizePath,
  ServerNames,
} from "../routing/mod.ts";
import type { ListenerRuntime, Route } from "../snapshot.ts";
import type { BalancedBackend } from "../upstream/backend.ts";

export interface WeightedRoute {
  readonly route: Route;
  readonly weight: number;
}

export class RuntimeSnapshot {
  readonly spec: Snapshot;
  readonly listeners = new Map<string, CompiledListener>();
  readonly backends: ReadonlyMap<string, BalancedBackend>;
  readonly keptKeys: ReadonlySet<string>;
  readonly endpointKeys: ReadonlySet<string>;
  readonly #filters: readonly Filter[];
  #inFlight = 0;
  #retired = false;

  constructor(
    spec: Snapshot,
    backends: ReadonlyMap<string, BalancedBackend>,
    filters: readonly Filter[],
    keptKeys: ReadonlySet<string>,
    endpointKeys: ReadonlySet<string>,
  ) {
    this.spec = spec;
    this.backends = backends;
    this.#filters = filters;
    this.keptKeys = keptKeys;
    this.endpointKeys = endpointKeys;
  }

  get version(): string {
    return this.spec.version;
  }
  get inFlight(): number {
    return this.#inFlight;
  }

  entered(): void {
    this.#inFlight++;
  }
  left(): void {
    if (--this.#inFlight === 0 && this.#retired) this.#close();
  }

  /** Another snapshot is in force; the last exchange out closes the filters. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#inFlight === 0) this.#close();
  }

  #close(): void {
    for (const filter of this.#filters) filter.close?.();
  }
}

/** Routes that answer when none of the configured ones is for a request. */
export interface Fallbacks {
  readonly badPath: Route;
  readonly unknownHost: Route;
  readonly unmatched: Route;
  /** It came by a connection to another listener of an HTTPS port. */
  readonly misdirected: Route;
  /** A CONNECT to where there is HTTP, and the reverse. */
  readonly noTunnel: Route;
  readonly tunnelOnly: Route;
  readonly random: Random;
}

export class CompiledListener implements ListenerRuntime {
  readonly version: string;
  readonly #snapshot: RuntimeSnapshot;
  readonly #matcher: Matcher<Choice>;
  readonly #fallbacks: Fallbacks;
  readonly #escapedSlashes: EscapedSlashes;
  /** Null: its clients name no server. */
  readonly #names: ServerNames | null;
  /** Its connections carry no HTTP, so that no route of HTTP could be meant. */
  readonly #bare: boolean;
  readonly routes: readonly Route[];

  constructor(
    snapshot: RuntimeSnapshot,
    spec: ListenerSpec,
    routes: ReadonlyMap<RouteSpec, readonly WeightedRoute[]>,
    fallbacks: Fallbacks,
  ) {
    this.version = snapshot.version;
    this.#snapshot = snapshot;
    this.#fallbacks = fallbacks;
    this.#escapedSlashes = spec.escapedSlashes ?? "reject";
    const { certificates } = spec;
    this.#names = certificates === undefined
      ? null
      : new ServerNames(certificates.flatMap((one) => one.hostnames));
    this.#bare = spec.protocol !== undefined;
    this.#matcher = compileRoutes(
      spec.hosts,
      (route) => new Choice(routes.get(route)!, route.tunnel === true),
    );
    this.routes = [
      ...[...routes.values()].flatMap((choices) => choices.map((choice) => choice.route)),
      fallbacks.badPath,
      fallbacks.unknownHost,
      fallbacks.unmatched,
      fallbacks.misdirected,
      fallbacks.noTunnel,
      fallbacks.tunnelOnly,
    ];
  }

  match(head: RequestHead, servername: string): Route {
    if (this.#names !== null && this.#names.misdirected(servername, head.authority)) {
      return this.#fallbacks.misdirected;
    }
    const path = normalizePath(head.path, this.#escapedSlashes);
    if (path === null) return this.#fallbacks.badPath;
    head.path = path; // the string that is matched is the string that is forwarded
    const choice = this.#matcher.match(head);
    const { random, noTunnel, tunnelOnly, unmatched, unknownHost } = this.#fallbacks;
    const connect = head.upgrade === "connect";
    if (choice !== null && choice.tunnel === connect) return choice.pick(random);
    if (choice !== null && choice.tunnel) return tunnelOnly;
    // What leads to HTTP is asked for nothing but its host: the tunnel's path is none.
    if (connect && !this.#bare) return this.#matcher.knowsHost(head) ? noTunnel : unknownHost;
    return this.#matcher.knowsHost(head) ? unmatched : unknownHost;
  }

  entered(): void {
    this.#snapshot.entered();
  }
  left(): void {
    this.#snapshot.left();
  }
}

/** A weighted choice among the backends of one rule. */
class Choice {
  readonly #routes: readonly Route[];
  readonly #upTo: readonly number[];
  readonly #total: number;
  readonly tunnel: boolean;

  constructor(weighted: readonly WeightedRoute[], tunnel: boolean) {
    this.tunnel = tunnel;
    const upTo: number[] = [];
    let total = 0;
    for (const { weight } of weighted) upTo.push(total += weight);
    this.#routes = weighted.map(({ route }) => route);
    this.#upTo = upTo;
    this.#total = total;
  }

  pick(random: Random): Route {
    if (this.#routes.length === 1 || this.#total === 0) return this.#routes[0]!;
    const at = random() * this.#total;
    for (let i = 0; i < this.#upTo.length; i++) if (at < this.#upTo[i]!) return this.#routes[i]!;
    return this.#routes[this.#routes.length - 1]!;
  }
}
