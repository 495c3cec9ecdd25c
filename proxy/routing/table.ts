/** Which rule a request is for: hosts first, then paths, then the rest; compiled once per snapshot. */
import type { HostSpec, RouteSpec } from "../../control/schema/snapshot.ts";
import type { RequestHead } from "../../core/message.ts";
import { GrpcTable } from "./grpc_table.ts";
import { HostTable } from "./host_table.ts";
import { PathTable } from "./path_table.ts";

/** The routes of one host. */
interface RouteTable<R> {
  match(head: RequestHead): R | null;
}

/** Finds rules. Synchronous, never throws, and allocates nothing for a request without a query. */
export class Matcher<R> {
  readonly #hosts: HostTable<RouteTable<R>>;

  constructor(hosts: HostTable<RouteTable<R>>) {
    this.#hosts = hosts;
  }

  /** Null: no rule is for this request; {@link knowsHost} says whether the host was. `head.path` is normalised. */
  match(head: RequestHead): R | null {
    for (let node = this.#hosts.find(head); node !== null; node = node.next) {
      const rule = node.table.match(head);
      if (rule !== null) return rule;
    }
    return null;
  }

  /** Tells "no route matches" from "nobody knows this host". */
  knowsHost(head: RequestHead): boolean {
    return this.#hosts.find(head) !== null;
  }
}

/**
 * Compiles the hosts of one listener. `makeRoute` is called once for each RouteSpec object; its result
 * is what {@link Matcher.match} gives. Throws with a sentence on a pattern that cannot be compiled.
 */
export function compileRoutes<R>(
  hosts: readonly HostSpec[],
  makeRoute: (route: RouteSpec, host: HostSpec) => R,
): Matcher<R> {
  const made = new Map<RouteSpec, R>();
  const table = new HostTable<RouteTable<R>>();
  for (const host of hosts) {
    const rules = host.routes.map((route) => {
      const known = made.get(route);
      const rule = known ?? makeRoute(route, host);
      if (known === undefined) made.set(route, rule);
      return { matches: route.matches, rule };
    });
    const isGrpc = host.routes.some((route) => route.matches.some((one) => one.grpc));
    const routes = isGrpc ? new GrpcTable(rules) : new PathTable(rules);
    for (const hostname of host.hostnames) {
      table.add(hostname.toLowerCase(), {
        table: routes,
        group: host.group,
        port: host.port,
        next: null,
      });
    }
  }
  table.link();
  return new Matcher(table);
}
