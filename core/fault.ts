/** Faults are values, never thrown on the data path; this file is the one table of all of them. */

/** Who is to blame; decides the status we answer with and who gets counted. */
export type FaultSource = "downstream" | "upstream" | "proxy" | "filter";

/**
 * Why an exchange or a connection could not go on.
 *
 * `code` is stable and greppable (`area.reason`); `status` is what a local reply would carry;
 * `sent: false` promises that the peer cannot have seen the request, so another try is always safe.
 */
export interface Fault {
  readonly code: string;
  readonly source: FaultSource;
  readonly status: number;
  readonly sent: boolean;
  readonly detail: string;
}

function fault(
  source: FaultSource,
  status: number,
  detail: string,
  sent = true,
): Omit<Fault, "code"> {
  return { source, status, sent, detail };
}

const TABLE = {
  // HTTP/1.1 as a server: what a client may not send (RFC 9112; the attack names are in the conformance table)
  "h1.bad_request_line": fault("downstream", 400, "The request line is malformed"),
  "h1.not_http": fault("downstream", 400, "What was sent is not HTTP"),
  "h1.bad_target": fault("downstream", 400, "The request target is malformed"),
  "h1.bad_method": fault("downstream", 400, "The method is not a token"),
  "h1.bad_version": fault("downstream", 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here"),
  "h1.bad_line_end": fault("downstream", 400, "A line does not end in CR LF"),
  "h1.bad_field_name": fault(
    "downstream",
    400,
    "A field name is not a token directly followed by a colon",
  ),
  "h1.bad_field_value": fault("downstream", 400, "A field value holds a control character"),
  "h1.obs_fold": fault("downstream", 400, "A field line is folded"),
  "h1.bad_host": fault("downstream", 400, "The Host field is missing, repeated or malformed"),
  "h1.host_mismatch": fault(
    "downstream",
    400,
    "The Host field and the request target name different hosts",
  ),
  "h1.bad_content_length": fault(
    "downstream",
    400,
    "Content-Length is repeated or not a plain number",
  ),
  "h1.length_and_coding": fault(
    "downstream",
    400,
    "Content-Length and Transfer-Encoding are both present",
  ),
  "h1.bad_transfer_encoding": fault(
    "downstream",
    400,
    "Transfer-Encoding is repeated or not exactly chunked",
  ),
  "h1.unknown_transfer_coding": fault("downstream", 501, "The transfer coding is not implemented"),
  "h1.bad_chunk_size": fault("downstream", 400, "A chunk size is malformed or too large"),
  "h1.bad_chunk_extension": fault("downstream", 400, "A chunk extension is malformed or too long"),
  "h1.bad_connection_option": fault(
    "downstream",
    400,
    "Connection names a field that is not hop-by-hop",
  ),
  "h1.head_too_large": fault("downstream", 431, "The header section is larger than the limit"),
  "h1.too_many_fields": fault("downstream", 431, "There are more field lines than the limit"),
  "h1.target_too_long": fault("downstream", 414, "The request target is longer than the limit"),
  "h1.trailers_too_large": fault("downstream", 431, "The trailer section is larger than the limit"),
  "h1.upgrade_refused": fault("downstream", 501, "The only protocol to upgrade to is websocket"),
  "h1.upgrade_with_body": fault(
    "downstream",
    400,
    "A request to upgrade or a CONNECT has a body, whose end others may see elsewhere",
  ),
  "h1.bad_handshake": fault(
    "downstream",
    400,
    "The WebSocket handshake is not a GET with one Sec-WebSocket-Key of 16 bytes",
  ),
  "h1.websocket_version": fault("downstream", 426, "The only version of WebSocket is 13"),
  "h1.connect_target": fault("downstream", 400, "The target of CONNECT is not host:port"),
  "h1.expectation": fault("downstream", 417, "Only the expectation 100-continue is known"),
  // HTTP/1.1 as a client: what an upstream may not send
  "h1.bad_status_line": fault("upstream", 502, "The upstream's status line is malformed"),
  "h1.bad_response": fault("upstream", 502, "The upstream's response is malformed"),
  "h1.response_too_large": fault(
    "upstream",
    502,
    "The upstream's header section is larger than the limit",
  ),
  "h1.too_many_interim": fault("upstream", 502, "The upstream sent too many interim responses"),
  "h1.unasked_bytes": fault("upstream", 502, "The upstream sent bytes that no request asked for"),
  "h1.unasked_switch": fault("upstream", 502, "The upstream switched protocols unasked"),
  "h1.bad_switch": fault(
    "upstream",
    502,
    "The upstream's 101 does not complete the WebSocket handshake",
  ),
  // TLS that passes through: what its client may not begin with
  "tls.not_tls": fault("downstream", 400, "The client's first bytes are no TLS handshake"),
  "tls.bad_hello": fault("downstream", 400, "The client's TLS ClientHello is malformed"),
  "tls.hello_too_large": fault(
    "downstream",
    400,
    "The client's TLS ClientHello is larger than the limit",
  ),
  // The PROXY protocol
  "proxy_protocol.bad_header": fault(
    "downstream",
    400,
    "A trusted peer's connection does not begin with a PROXY protocol header",
  ),
  "proxy_protocol.timeout": fault(
    "downstream",
    408,
    "A trusted peer took too long to send its PROXY protocol header",
  ),
  "proxy_protocol.too_large": fault(
    "downstream",
    400,
    "The PROXY protocol header is larger than the limit",
  ),
  // HTTP/2
  "h2.no_websocket": fault(
    "upstream",
    502,
    "The upstream takes no WebSocket over HTTP/2 (it does not announce RFC 8441)",
    false,
  ),
  "h2.refused_stream": fault(
    "upstream",
    503,
    "The upstream refused the stream without looking at it",
    false,
  ),
  "h2.goaway": fault(
    "upstream",
    503,
    "The upstream was closing the connection and did not look at the request",
    false,
  ),
  "h2.reset": fault("upstream", 502, "The upstream reset the stream"),
  "h2.head_too_large": fault("downstream", 431, "The header section is larger than the limit"),
  "h2.client_stream_error": fault(
    "downstream",
    400,
    "The client broke a rule of HTTP/2 on this stream",
  ),
  "h2.client_connection_error": fault("downstream", 400, "The client broke a rule of HTTP/2"),
  "h2.stream_error": fault("upstream", 502, "The peer broke a rule of HTTP/2 on this stream"),
  "h2.connection_error": fault("upstream", 502, "The peer broke a rule of HTTP/2"),
  // Connections and streams
  "downstream.gone": fault("downstream", 499, "The client closed the connection"),
  "downstream.timeout": fault("downstream", 408, "The client took too long to send its request"),
  "downstream.plaintext": fault(
    "downstream",
    403,
    "This port wants mTLS and the request came in plaintext",
  ),
  "downstream.distrusted": fault(
    "downstream",
    499,
    "The client's certificate expired or was revoked during its request",
  ),
  "downstream.idle": fault("downstream", 408, "The connection was idle for too long"),
  "upstream.connect": fault("upstream", 503, "No connection could be made to the upstream", false),
  "upstream.connect_timeout": fault("upstream", 503, "The upstream did not accept in time", false),
  "upstream.distrusted": fault(
    "upstream",
    503,
    "The upstream's certificate expired or was revoked during the request",
  ),
  "upstream.identity": fault(
    "upstream",
    503,
    "The upstream did not prove the expected identity",
    false,
  ),
  "upstream.refused": fault(
    "upstream",
    503,
    "The upstream closed a fresh connection before a byte came",
    true,
  ),
  "upstream.stale": fault(
    "upstream",
    503,
    "A pooled connection had been closed by the upstream",
  ),
  "upstream.reset": fault(
    "upstream",
    502,
    "The upstream closed the connection before its response ended",
  ),
  "upstream.speaks_h2": fault(
    "upstream",
    502,
    "The upstream speaks HTTP/2 in plaintext; give its Service port the protocol HTTP2 or GRPC",
  ),
  "upstream.not_h2": fault(
    "upstream",
    502,
    "The upstream does not speak HTTP/2 in plaintext, which the protocol of its Service port promises",
    false,
  ),
  "upstream.overflow": fault(
    "upstream",
    503,
    "Too many requests wait for a connection to this backend",
    false,
  ),
  // Routing and the proxy itself
  "proxy.no_descriptors": fault(
    "proxy",
    503,
    "This proxy has as many connections as the system allows it",
    false,
  ),
  "route.bad_path": fault(
    "downstream",
    400,
    "The path holds an escape that is refused (%00, %2F, %5C) or is malformed",
  ),
  "route.none": fault("proxy", 404, "No route matches this request"),
  "route.unknown_host": fault("proxy", 404, "No Service or Gateway listener knows this host"),
  "route.misdirected": fault(
    "downstream",
    421,
    "Another listener of this port is for this host; connect anew, with its name in the TLS hello",
  ),
  "route.no_tunnel": fault(
    "downstream",
    405,
    "CONNECT leads to Service ports of protocol TCP or TLS only; send this host plain HTTP requests",
  ),
  "route.tunnel_only": fault(
    "downstream",
    405,
    "This Service port is no HTTP (protocol TCP or TLS); reach it by CONNECT or a forwarded port",
  ),
  "route.loop": fault("proxy", 508, "The request has passed this proxy before, or too many others"),
  "tunnel.idle": fault("proxy", 408, "No byte went through the tunnel for too long"),
  "tunnel.refused": fault("upstream", 502, "The other end did not open the tunnel"),
  "tunnel.not_switched": fault(
    "upstream",
    502,
    "The upstream answered a WebSocket handshake with a success that is not a switch",
  ),
  "route.no_backend": fault("proxy", 500, "The route has no valid backend"),
  "backend.no_endpoint": fault("proxy", 503, "The backend has no healthy endpoint", false),
  "proxy.not_ready": fault("proxy", 503, "The proxy has no configuration yet", false),
  "proxy.overloaded": fault(
    "proxy",
    503,
    "The proxy has as much to do as it can; try again in a moment",
    false,
  ),
  "proxy.draining": fault("proxy", 503, "The proxy is shutting down", false),
  "proxy.buffer_full": fault("proxy", 413, "A filter had to hold more of a body than the limit"),
  "proxy.response_buffer_full": fault(
    "proxy",
    502,
    "A filter had to hold more of a response than the limit",
  ),
  "proxy.stopped": fault("proxy", 503, "This attempt was given up for another", true),
  "proxy.internal": fault("proxy", 500, "The proxy failed in a way it does not know"),
  // Filters
  "jwt.missing": fault("downstream", 401, "A bearer token is wanted, and none came"),
  "jwt.several": fault(
    "downstream",
    400,
    "The request carries more than one token; send one, once",
  ),
  "jwt.malformed": fault(
    "downstream",
    401,
    "The token is no signed JWT that can be read without doubt",
  ),
  "jwt.too_large": fault("downstream", 401, "The token is larger than is taken here"),
  "jwt.issuer": fault("downstream", 401, "Tokens of this issuer are not taken here"),
  "jwt.audience": fault("downstream", 401, "The token is not meant for this service"),
  "jwt.expired": fault("downstream", 401, "The token has expired"),
  "jwt.early": fault("downstream", 401, "The token is not valid yet"),
  "jwt.algorithm": fault("downstream", 401, "The token is signed in a way that is not taken here"),
  "jwt.unknown_key": fault("downstream", 401, "The token names a key its issuer does not publish"),
  "jwt.signature": fault("downstream", 401, "The signature of the token is wrong"),
  "jwt.too_many": fault(
    "downstream",
    429,
    "Too many tokens of this client had wrong signatures; try again in a moment",
  ),
  "jwt.no_keys": fault(
    "proxy",
    503,
    "The keys of the issuer of this token could not be fetched yet; try again in a moment",
    false,
  ),
  "authz.denied": fault("filter", 403, "An authorization policy does not allow this request"),
  "ext_authz.unavailable": fault("filter", 403, "The external authorizer gave no answer"),
  "ext_authz.body_too_large": fault(
    "filter",
    413,
    "The body is longer than what the external authorizer is shown",
  ),
  "call.timeout": fault("filter", 504, "The backend a filter asked did not answer in time"),
  "call.too_large": fault("filter", 502, "The backend a filter asked answered with too much"),
  "timeout.request": fault("filter", 504, "The whole request took longer than its timeout"),
  "timeout.backend": fault("filter", 504, "The attempt took longer than its timeout"),
  "timeout.deadline": fault("downstream", 504, "The deadline the client set has passed"),
  "breaker.open": fault("filter", 503, "The circuit breaker of the backend is open", false),
  "breaker.overflow": fault(
    "filter",
    503,
    "The backend has as many requests in flight as its limit",
    false,
  ),
  "retry.budget": fault("filter", 503, "The retry budget of the backend is used up"),
  "filter.threw": fault("filter", 500, "A filter failed"),
  "wasm.trapped": fault("filter", 503, "A Wasm filter trapped and its policy is to fail closed"),
  "wasm.out_of_fuel": fault(
    "filter",
    503,
    "A Wasm filter used up its fuel and its policy is to fail closed",
  ),
  "wasm.tripped": fault(
    "filter",
    503,
    "A Wasm filter trapped too often and is switched off; its policy is to fail closed",
  ),
  "wasm.backing_off": fault(
    "filter",
    503,
    "A Wasm filter trapped and waits to be started again; its policy is to fail closed",
  ),
  "wasm.throttled": fault(
    "filter",
    503,
    "A Wasm filter has used its fuel of this second; its policy is to fail closed",
  ),
  "wasm.no_instance": fault(
    "filter",
    503,
    "Every instance of a Wasm filter is taken and too many exchanges wait for one",
  ),
  "wasm.body_length": fault(
    "filter",
    500,
    "A Wasm filter changed the length of a body without removing its content-length",
  ),
  "wasm.reset": fault("filter", 503, "A Wasm filter reset the stream"),
} as const satisfies Record<string, Omit<Fault, "code">>;

/** The codes of all faults. */
export type FaultCode = keyof typeof TABLE;

/** Every fault by its code, with `code` filled in. */
export const FAULTS: Readonly<Record<FaultCode, Fault>> = Object.fromEntries(
  Object.entries(TABLE).map(([code, rest]) => [code, Object.freeze({ code, ...rest })]),
) as Record<FaultCode, Fault>;
