/** Which codec serves a connection: what TLS agreed on, and on plaintext what the first bytes say. */
import type { Clock } from "../core/clock.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Accept, Codec } from "../core/stream.ts";
import type { Connection } from "./connection.ts";
import type { Entry } from "./entry.ts";
import { H1Server } from "./h1/mod.ts";
import type { H2Limits } from "./h2/limits.ts";
import { H2Server } from "./h2/server.ts";
import type { H2Report } from "./h2_report.ts";
import { Sniffer } from "./sniff.ts";

export interface ServerCodecOptions {
  readonly clock: Clock;
  /** The value of a `date` field. */
  readonly date: () => string;
  readonly h2: H2Limits;
  readonly report: H2Report;
}

export function serverCodec(
  connection: Connection,
  accept: Accept<RequestHead, ResponseHead>,
  entry: Entry,
  options: ServerCodecOptions,
): Codec {
  const scheme = entry.tls ? "https" : "http";
  const h1 = (): Codec => new H1Server(connection, accept, { scheme, date: options.date });
  const h2 = (): Codec => {
    connection.batch();
    return new H2Server(connection, accept, {
      limits: options.h2,
      nowMs: () => options.clock.monotonicMs(),
      events: options.report.of(
        entry.remote,
        entry.admitted === null ? "" : entry.admitted.identity,
      ),
      // In the mesh the scheme is the first proxy's to tell, and the last one dates what nobody has:
      // everybody else hears both from the listener.
      ...(entry.admitted === null ? { scheme, date: options.date } : {}),
    });
  };
  if (entry.tls) return entry.alpn === "h2" ? h2() : h1();
  return new Sniffer(connection, (isH2) => connection.codec = isH2 ? h2() : h1());
}
