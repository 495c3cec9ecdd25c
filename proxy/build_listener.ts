/** What a listener's place in the configuration comes to: its security, its protocols and their limits. */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { ListenerSpec } from "../control/schema/snapshot.ts";
import type { Security } from "./entrance.ts";
import type { Exchange } from "./exchange.ts";
import { H2_EDGE_LIMITS, H2_LIMITS, type H2Limits } from "./h2/limits.ts";
import { H2Report } from "./h2_report.ts";
import { RawServer } from "./l4/server.ts";
import { Listener } from "./listener.ts";
import { LISTENER_LIMITS, type ListenerLimits } from "./listener_limits.ts";
import type { Overload } from "./overload.ts";
import { serverCodec } from "./server_codecs.ts";
import type { ListenerRuntime } from "./snapshot.ts";
import type { Sockets } from "./sockets.ts";
import type { EdgeTls, MeshIdentity } from "./tls/mod.ts";

export type ListenerPlace = Pick<ListenerSpec, "name" | "role" | "tls"> & {
  /** The certificates of an edge listener. */
  readonly edge?: EdgeTls;
  /** Its clients speak no HTTP: every connection is a tunnel to what this says when it comes. */
  readonly tunnel?: { readonly authority: () => string; readonly tls: boolean };
};

export interface ListenerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly identity: MeshIdentity | null;
  readonly limits?: Partial<ListenerLimits>;
  readonly h2?: Partial<H2Limits>;
  readonly sockets: Sockets;
  readonly overload: Overload;
  readonly shed: ListenerRuntime;
  readonly date: () => string;
  readonly ended: (x: Exchange, listener: string) => void;
}

export function buildListener(
  place: ListenerPlace,
  runtime: ListenerRuntime,
  parts: ListenerParts,
): Listener {
  const { clock, log, metrics, limits, sockets, overload, shed, ended } = parts;
  const report = new H2Report(place.name, parts);
  const codecs = { clock, date: parts.date, h2: h2Limits(place.role, parts), report };
  const { tunnel } = place;
  return new Listener(place.name, runtime, {
    clock,
    log,
    metrics,
    security: securityOf(place, parts.identity),
    bare: tunnel !== undefined,
    codec: (connection, accept, entry) =>
      tunnel === undefined
        ? serverCodec(connection, accept, entry, codecs)
        : new RawServer(connection, accept, { authority: tunnel.authority(), tls: tunnel.tls }),
    ...(limits === undefined ? {} : { limits }),
    sockets,
    overload,
    shed,
    ended,
    renamed: (name) => report.rename(name),
  });
}

/** A listener without what its TLS needs must not fall back to plaintext. */
function securityOf(place: ListenerPlace, identity: MeshIdentity | null): Security {
  const { name, tls, edge } = place;
  if (tls === "none") return { kind: "plain" };
  if (tls === "edge") {
    if (edge !== undefined) return { kind: "edge", tls: edge };
    throw new Error(`Cannot open listener "${name}": it wants TLS and has no certificate`);
  }
  if (identity !== null) return { kind: "mesh", identity, mode: tls };
  throw new Error(`Cannot open listener "${name}": it wants mTLS, this proxy has no identity yet`);
}

function h2Limits(role: ListenerPlace["role"], { limits, h2 }: ListenerParts): H2Limits {
  const { bodyTimeoutMs, bodyMinRate, headTimeoutMs, stallTimeoutMs } = {
    ...LISTENER_LIMITS,
    ...limits,
  };
  return {
    ...(role === "gateway" ? H2_EDGE_LIMITS : H2_LIMITS),
    bodyTimeoutMs,
    bodyMinRate,
    headTimeoutMs,
    windowStallMs: stallTimeoutMs,
    ...h2,
  };
}
