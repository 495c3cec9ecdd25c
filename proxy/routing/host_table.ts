/** Finds the most specific host for an authority: exact name, then the longest wildcard, then `*`. */
import { hostEnd, hostOf } from "../../core/authority.ts";
import type { RequestHead } from "../../core/message.ts";

/** One host name of one HostSpec. `next`: who is asked when nothing here matches. */
export interface HostNode<T> {
  readonly table: T;
  readonly group: string | undefined;
  readonly port: number | undefined;
  next: HostNode<T> | null;
}

/** All nodes of one host name; a node for the port beats one for any port. */
interface Named<T> {
  readonly byPort: Map<number, HostNode<T>>;
  anyPort: HostNode<T> | null;
}

export class HostTable<T> {
  readonly #exact = new Map<string, Named<T>>();
  /** By what follows the star: `.a.b` of `*.a.b`, "" of `*`. */
  readonly #wild = new Map<string, Named<T>>();
  /** Whole authorities, so that the common request costs one look-up and no substring. */
  readonly #direct = new Map<string, HostNode<T>>();
  /** The node of `*` for any port where there is nothing else, as at most gateways and inbound. */
  #everything: HostNode<T> | null = null;

  /** The first node of a name and port stays. Call {@link link} when all are in. */
  add(hostname: string, node: HostNode<T>): void {
    const map = hostname.startsWith("*") ? this.#wild : this.#exact;
    const key = hostname.startsWith("*") ? hostname.slice(1) : hostname;
    let named = map.get(key);
    if (named === undefined) map.set(key, named = { byPort: new Map(), anyPort: null });
    if (node.port === undefined) named.anyPort ??= node;
    else if (!named.byPort.has(node.port)) named.byPort.set(node.port, node);
  }

  /** Gives each node its successor of the same group and fills the direct table. */
  link(): void {
    for (const [host, named] of this.#exact) {
      for (const node of nodes(named)) node.next = this.#successor(node, host, false);
      const plain = named.byPort.get(80) ?? named.anyPort;
      if (plain !== null) this.#direct.set(host, plain);
      for (const [port, node] of named.byPort) this.#direct.set(`${host}:${port}`, node);
    }
    for (const [suffix, named] of this.#wild) {
      for (const node of nodes(named)) node.next = this.#successor(node, suffix, true);
    }
    const all = this.#wild.get("");
    const alone = this.#exact.size === 0 && this.#wild.size === 1 && all?.byPort.size === 0;
    this.#everything = alone ? all.anyPort : null;
  }

  /** Null: no host here is this request's. */
  find(head: RequestHead): HostNode<T> | null {
    if (this.#everything !== null) return this.#everything;
    if (head.scheme === "http") {
      const direct = this.#direct.get(head.authority);
      if (direct !== undefined) return direct;
    }
    return this.#search(head);
  }

  #search(head: RequestHead): HostNode<T> | null {
    const { authority } = head;
    const host = hostOf(authority);
    const digits = authority.slice(hostEnd(authority) + 1);
    const byScheme = head.scheme === "https" ? 443 : 80;
    const port = digits === "" ? byScheme : Number(digits);
    const exact = this.#exact.get(host);
    const found = exact === undefined ? null : at(exact, port);
    return found ?? this.#wildcard(host, port);
  }

  #wildcard(host: string, port: number): HostNode<T> | null {
    if (this.#wild.size === 0) return null;
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const named = dot === 0 ? undefined : this.#wild.get(host.slice(dot));
      const found = named === undefined ? null : at(named, port);
      if (found !== null) return found;
    }
    const all = this.#wild.get("");
    return all === undefined ? null : at(all, port);
  }

  /** Walks outwards over `*.b.c`, `*.c`, `*` for the next node of the group that takes the same port. */
  #successor(node: HostNode<T>, name: string, wild: boolean): HostNode<T> | null {
    if (node.group === undefined || name === "") return null;
    for (let dot = name.indexOf(".", wild ? 1 : 0); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const found = sameGroup(this.#wild.get(name.slice(dot)), node);
      if (found !== null) return found;
    }
    return sameGroup(this.#wild.get(""), node);
  }
}

function at<T>(named: Named<T>, port: number): HostNode<T> | null {
  if (named.byPort.size === 0) return named.anyPort;
  return named.byPort.get(port) ?? named.anyPort;
}

function sameGroup<T>(named: Named<T> | undefined, node: HostNode<T>): HostNode<T> | null {
  if (named === undefined) return null;
  const own = node.port === undefined ? undefined : named.byPort.get(node.port);
  if (own !== undefined && own.group === node.group) return own;
  return named.anyPort !== null && named.anyPort.group === node.group ? named.anyPort : null;
}

function nodes<T>(named: Named<T>): HostNode<T>[] {
  return [...named.byPort.values(), ...(named.anyPort === null ? [] : [named.anyPort])];
}
