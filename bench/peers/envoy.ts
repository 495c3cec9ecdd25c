/**
 * Envoy as a rival, by the rules of its own benchmarking FAQ: one worker, no circuit breaking in the way,
 * no request ids, no dynamic statistics, no access log.
 */
import { type Pinned, startPinned } from "../process.ts";
import type { PairKind } from "./pair.ts";

export async function startEnvoy(core: number, config: string): Promise<Pinned> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(path, config);
  const envoy = startPinned(core, [
    ...["envoy", "-c", path, "--concurrency", "1", "--disable-hot-restart"],
    ...["--log-level", "error"],
  ]);
  return {
    pid: envoy.pid,
    process: envoy.process,
    async [Symbol.asyncDispose](): Promise<void> {
      await envoy[Symbol.asyncDispose]();
      await Deno.remove(path);
    },
  };
}

/** One HTTP/1.1 hop; through the Proxy-Wasm module at the path `wasm`, if there is one. */
export function envoyHopConfig(
  port: number,
  originPort: number,
  wasm: string | null = null,
): string {
  const filters = wasm === null ? [] : [wasmFilter(wasm)];
  return bootstrap(listener(port, "HTTP1", null, filters), cluster(originPort, "HTTP1", null));
}

/** On V8, as Envoy runs Wasm by default. */
function wasmFilter(path: string): Json {
  return {
    name: "envoy.filters.http.wasm",
    typed_config: {
      "@type": `${TYPE}extensions.filters.http.wasm.v3.Wasm`,
      config: {
        vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: path } } },
      },
    },
  };
}

/** HTTP/2 between the two. */
export const ENVOY_PAIR: PairKind = envoyPair("HTTP1");

/** HTTP/2 throughout. */
export const ENVOY_GRPC_PAIR: PairKind = envoyPair("HTTP2");

/** `outside`: what client and app speak. */
function envoyPair(outside: "HTTP1" | "HTTP2"): PairKind {
  return {
    program: "envoy",
    clientConfig: (folder, ports) =>
      bootstrap(
        listener(ports.client, outside, null),
        cluster(ports.server, "HTTP2", {
          name: "envoy.transport_sockets.tls",
          typed_config: {
            "@type": `${TLS}UpstreamTlsContext`,
            sni: "server.mesh",
            common_tls_context: tlsContext(folder, "client", "server"),
          },
        }),
      ),
    serverConfig: (folder, ports) =>
      bootstrap(
        listener(ports.server, "HTTP2", {
          name: "envoy.transport_sockets.tls",
          typed_config: {
            "@type": `${TLS}DownstreamTlsContext`,
            require_client_certificate: true,
            common_tls_context: tlsContext(folder, "server", "client"),
          },
        }),
        cluster(ports.origin, outside, null),
      ),
    start: startEnvoy,
  };
}

const TYPE = "type.googleapis.com/envoy.";
const TLS = `${TYPE}extensions.transport_sockets.tls.v3.`;
const MANAGER =
  `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const UNLIMITED = 1_000_000_000;

type Json = Readonly<Record<string, unknown>>;

function bootstrap(listener: Json, cluster: Json): string {
  return JSON.stringify({ static_resources: { listeners: [listener], clusters: [cluster] } });
}

function listener(
  port: number,
  codec: "HTTP1" | "HTTP2",
  transport: Json | null,
  filters: readonly Json[] = [],
): Json {
  return {
    name: "in",
    address: address(port),
    filter_chains: [{
      ...(transport === null ? {} : { transport_socket: transport }),
      filters: [{
        name: "envoy.filters.network.http_connection_manager",
        typed_config: {
          "@type": MANAGER,
          stat_prefix: "in",
          codec_type: codec,
          generate_request_id: false,
          route_config: {
            virtual_hosts: [{
              name: "all",
              domains: ["*"],
              routes: [{ match: { prefix: "/" }, route: { cluster: "out" } }],
            }],
          },
          http_filters: [...filters, {
            name: "envoy.filters.http.router",
            typed_config: {
              "@type": `${TYPE}extensions.filters.http.router.v3.Router`,
              dynamic_stats: false,
            },
          }],
        },
      }],
    }],
  };
}

function cluster(port: number, codec: "HTTP1" | "HTTP2", transport: Json | null): Json {
  const options = codec === "HTTP1" ? { http_protocol_options: {} } : {
    http2_protocol_options: {},
  };
  return {
    name: "out",
    type: "STATIC",
    connect_timeout: "2s",
    ...(transport === null ? {} : { transport_socket: transport }),
    circuit_breakers: {
      thresholds: ["DEFAULT", "HIGH"].map((priority) => ({
        priority,
        max_connections: UNLIMITED,
        max_pending_requests: UNLIMITED,
        max_requests: UNLIMITED,
        max_retries: UNLIMITED,
      })),
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: options,
      },
    },
    load_assignment: {
      cluster_name: "out",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

/** Its own certificate, and what the other's must be: signed by the authority, with that SPIFFE id. */
function tlsContext(folder: string, own: string, other: string): Json {
  return {
    alpn_protocols: ["h2"],
    tls_certificates: [{
      certificate_chain: { filename: `${folder}/${own}.pem` },
      private_key: { filename: `${folder}/${own}.key` },
    }],
    validation_context: {
      trusted_ca: { filename: `${folder}/ca.pem` },
      match_typed_subject_alt_names: [{
        san_type: "URI",
        matcher: { exact: `spiffe://mesh.local/ns/default/sa/${other}` },
      }],
    },
    // Its default for the calling side ends at 1.2.
    tls_params: {
      tls_minimum_protocol_version: "TLSv1_3",
      tls_maximum_protocol_version: "TLSv1_3",
    },
  };
}

function address(port: number): Json {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
