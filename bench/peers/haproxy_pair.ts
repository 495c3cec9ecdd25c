/** haproxy as a pair of sidecars. */
import { common, startHaproxy } from "./haproxy.ts";
import type { PairKind } from "./pair.ts";

/** What is spoken outside, by client and app (HTTP/2 with prior knowledge), and between the two. */
interface HaproxyPairOptions {
  readonly outside?: "HTTP1" | "HTTP2";
  readonly between: "HTTP1" | "HTTP2";
  readonly maxConnections?: number;
}

/** As haproxy speaks to servers unless told otherwise. */
export const HAPROXY_PAIR = haproxyPair({ between: "HTTP1" });

/** Multiplexed between the two, which costs haproxy less than HTTP/1.1 there. */
export const HAPROXY_H2_PAIR = haproxyPair({ between: "HTTP2" });

/** HTTP/2 throughout. */
export const HAPROXY_GRPC_PAIR = haproxyPair({ outside: "HTTP2", between: "HTTP2" });

export function haproxyPair(options: HaproxyPairOptions): PairKind {
  const { outside, between, maxConnections } = options;
  const clear = outside === "HTTP2" ? " proto h2" : "", tls = between === "HTTP2" ? " alpn h2" : "";
  return {
    program: "haproxy",
    // Connections are kept and shared by all clients; the server's certificate and name are checked.
    clientConfig: (folder, ports) =>
      `${common(maxConnections)}  http-reuse always
frontend outbound
  bind 127.0.0.1:${ports.client}${clear}
  default_backend server
backend server
  server server 127.0.0.1:${ports.server} ssl crt ${folder}/client.both ca-file ${folder}/ca.pem verify required sni str(server.mesh) verifyhost server.mesh${tls}
`,
    // A client certificate is demanded and checked.
    serverConfig: (folder, ports) =>
      `${common(maxConnections)}  http-reuse always
frontend inbound
  bind 127.0.0.1:${ports.server} ssl crt ${folder}/server.both ca-file ${folder}/ca.pem verify required${tls}
  default_backend app
backend app
  server app 127.0.0.1:${ports.origin}${clear}
`,
    start: startHaproxy,
  };
}
