/** The two message heads every codec reads and writes. */
import type { Fields } from "./fields.ts";

/** The version a message came by, as Via says it (RFC 9110 7.6.3). */
export type HttpVersion = "1.0" | "1.1" | "2";

/**
 * A request as routes and filters see it, the same for every HTTP version.
 *
 * `authority` is lower-case `host[:port]` and replaces the Host field, which `fields` never holds.
 * `path` is the request target in origin form (`/a?b=c`) or `*`. Hop-by-hop fields are gone.
 * `content-length` stays in `fields` when the length is known; a filter that changes the length of
 * the body removes it and the codec frames the message anew.
 */
export interface RequestHead {
  method: string;
  scheme: string;
  authority: string;
  path: string;
  fields: Fields;
  /** What the client speaks; nothing may depend on it, but Via names it. */
  version?: HttpVersion;
  /** The exchange is to become a tunnel; see {@link switches}. Absent for all other requests. */
  upgrade?: Upgrade;
  /**
   * Of a CONNECT whose connection can go on with requests to this proxy itself, in place of a tunnel. Who
   * has that in mind takes the offer and answers a bare 200.
   */
  here?: "offered" | "taken";
}

/**
 * What an exchange is to become. `websocket`: an HTTP/1.1 upgrade or an extended CONNECT of HTTP/2, both
 * with method GET here; its handshake keys belong to each HTTP/1.1 connection and are never in `fields`.
 * `connect`: a CONNECT, whose path is `/` here.
 */
export type Upgrade = "websocket" | "connect";

/**
 * Names the Service port a sidecar is asked for, `namespace/service:port`, where its workload listens on
 * more than one. Set by the proxy that asks, taken away by the one that is asked.
 */
export const PORT_FIELD = "x-denim-port";

/** A response head; `status` 100–199 only in {@link Sink.info}, save for a 101 that switches. */
export interface ResponseHead {
  status: number;
  fields: Fields;
  /** What the upstream speaks; absent on answers of our own. */
  version?: HttpVersion;
}

/**
 * Whether a response turns its exchange into a tunnel: from its head on (with `end` false) the data calls
 * carry the tunnel's bytes, and each direction ends by itself. Before that no byte of the client's is
 * passed on; any other response is an ordinary one. HTTP/2's 200 for an extended CONNECT is 101 here.
 */
export function switches(request: RequestHead, status: number): boolean {
  const { upgrade } = request;
  if (upgrade === undefined) return false;
  return upgrade === "websocket" ? status === 101 : status >= 200 && status < 300;
}
