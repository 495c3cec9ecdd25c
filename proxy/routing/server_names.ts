/**
 * Which listener of an HTTPS port a name belongs to, and whether a request is for the one its client
 * asked for in its TLS hello (RFC 9110 7.4; Gateway API, Listener.hostname). Browsers send a request on
 * a connection they have when its certificate bears the other name too.
 */
import { hostOf } from "../../core/authority.ts";

export class ServerNames {
  readonly #hostnames: ReadonlySet<string>;

  /** Host names of the port's listeners: `a.b`, `*.b` (any deeper name), `*` (everyone). */
  constructor(hostnames: Iterable<string>) {
    this.#hostnames = new Set([...hostnames].map((one) => one.toLowerCase()));
  }

  /**
   * Another listener than the one `servername` chose ("" for a client that named none) is for the host of
   * `authority`. A host that no listener is for is not misdirected: it is unknown.
   */
  misdirected(servername: string, authority: string): boolean {
    if (authority === servername || this.#hostnames.size < 2) return false;
    const host = hostOf(authority);
    if (host === servername) return false;
    const wanted = this.#listenerOf(host);
    return wanted !== null && wanted !== this.#listenerOf(servername);
  }

  /** The most specific host name that stands for `name`; null: there is none. */
  #listenerOf(name: string): string | null {
    if (name !== "" && this.#hostnames.has(name)) return name;
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const wild = `*${name.slice(dot)}`;
      if (this.#hostnames.has(wild)) return wild;
    }
    return this.#hostnames.has("*") ? "*" : null;
  }
}
