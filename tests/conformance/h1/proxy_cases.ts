/**
 * What a proxy between an HTTP/1.1 client and an HTTP/1.1 origin must do to messages (RFC 9110, RFC 9112),
 * as a table of raw bytes: the same for one proxy and for two with HTTP/2 between them.
 */
import type { Script } from "./wire.ts";

export interface ProxyCase {
  readonly name: string;
  /** Sent by the client; `HOST` stands for the host of the service, `/PATH` for the case's own path. */
  readonly request: string;
  /** What the origin says; default: 200 with the body `ok`. */
  readonly reply?: string;
  readonly script?: Partial<Script>;
  /** Patterns of what the origin must see, and must not. Undefined: it is not asked at all. */
  readonly upstream?: readonly RegExp[];
  readonly notUpstream?: readonly RegExp[];
  /** Patterns of what the client must get back, and must not. */
  readonly client: readonly RegExp[];
  readonly notClient?: readonly RegExp[];
}

const END = "Connection: close\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";

/** A GET with some more fields. */
function get(fields = ""): string {
  return `GET /PATH HTTP/1.1\r\nHost: HOST\r\n${fields}${END}`;
}

const HOP_BY_HOP: readonly ProxyCase[] = [
  {
    name: "RFC 9110 7.6.1: fields named by Connection end at this hop, on the way up",
    request: get("Connection: x-secret\r\nX-Secret: 1\r\nX-Other: 2\r\nKeep-Alive: timeout=5\r\n"),
    upstream: [/\r\nx-other: 2\r\n/i],
    notUpstream: [/x-secret/i, /\r\nkeep-alive/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9110 7.6.1: and on the way down",
    request: get(),
    reply:
      `${OK}Connection: x-secret\r\nX-Secret: 1\r\nX-Other: 2\r\nKeep-Alive: timeout=5\r\n\r\nok`,
    upstream: [/^GET /],
    client: [/\r\nx-other: 2\r\n/i],
    notClient: [/x-secret/i, /\r\nkeep-alive/i],
  },
  {
    name: "CVE-2022-31813: Connection may not name what the next server relies on",
    request: get("Connection: x-forwarded-for\r\n"),
    client: [/^HTTP\/1\.1 400 [^]*h1\.bad_connection_option/],
  },
  {
    name: "RFC 9110 11.7: credentials for a proxy are not passed on, nor its challenge",
    request: get("Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n"),
    reply: `${OK}Proxy-Authenticate: Basic\r\n\r\nok`,
    upstream: [/^GET /],
    notUpstream: [/\r\nproxy-/i],
    client: [/^HTTP\/1\.1 200 /],
    notClient: [/\r\nproxy-/i],
  },
  {
    name: "RFC 9110 10.1.4: TE ends here but for trailers, which Connection names anew",
    request: get("TE: trailers, deflate;q=0.5\r\nConnection: te\r\n"),
    upstream: [/\r\nte: trailers\r\n/i, /\r\nconnection: te\r\n/i],
    notUpstream: [/deflate/],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9110 7.8: an Upgrade that Connection does not name is no wish",
    request: get("Upgrade: websocket\r\n"),
    upstream: [/^GET /],
    notUpstream: [/upgrade/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "httpoxy: a field `Proxy` is not passed on",
    request: get("Proxy: http://evil/\r\n"),
    upstream: [/^GET /],
    notUpstream: [/\r\nproxy:/i],
    client: [/^HTTP\/1\.1 200 /],
  },
];

const VIA: readonly ProxyCase[] = [
  {
    name: "RFC 9110 7.6.3: every proxy adds itself to Via, behind those before it",
    request: get("Via: 1.0 fred, 1.1 p.example\r\n"),
    upstream: [
      /\r\nvia: 1\.0 fred, 1\.1 p\.example\r\n([^]*\r\n)?via: 1\.1 denim-[0-9a-f]{8}\r\n/i,
    ],
    client: [/^HTTP\/1\.1 200 [^]*\r\nvia: 1\.1 denim\r\n/],
  },
  {
    name: "RFC 9110 7.6.3: Via says what was received: HTTP/1.0 here",
    request: `GET /PATH HTTP/1.0\r\nHost: HOST\r\n\r\n`,
    reply: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    upstream: [/^GET \S+ HTTP\/1\.1\r\n/, /\r\nvia: 1\.0 denim-[0-9a-f]{8}\r\n/i],
    client: [/\r\nvia: 1\.0 denim\r\n/],
  },
  {
    name: "RFC 9110 7.6.3: what the proxy answers itself nobody has passed on",
    request: "TRACE /PATH HTTP/1.1\r\nHost: HOST\r\nMax-Forwards: 0\r\n" + END,
    client: [/^HTTP\/1\.1 200 [^]*\r\ncontent-type: message\/http\r\n/],
    notClient: [/^HTTP[^]*\r\nvia:[^]*\r\nTRACE /],
  },
  {
    name: "RFC 9110 7.6.2: Max-Forwards of OPTIONS and TRACE is counted down",
    request: "OPTIONS /PATH HTTP/1.1\r\nHost: HOST\r\nMax-Forwards: 7\r\n" + END,
    upstream: [/\r\nmax-forwards: [56]\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9110 7.6.2: of other methods it is left alone",
    request: get("Max-Forwards: 0\r\n"),
    upstream: [/\r\nmax-forwards: 0\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
];

const TARGETS: readonly ProxyCase[] = [
  {
    name: "RFC 9112 3.2.2: absolute form becomes origin form and a Host",
    request: `GET http://HOST/PATH?q=1 HTTP/1.1\r\nHost: HOST\r\n${END}`,
    upstream: [/^GET \/[^?: ]+\?q=1 HTTP\/1\.1\r\n/, /\r\nhost: [a-z.]+\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9112 3.2.2: with the port that http has anyway",
    request: `GET http://HOST:80/PATH HTTP/1.1\r\nHost: HOST\r\n${END}`,
    upstream: [/^GET \//],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9112 3.2.2: an HTTP/1.0 client names the host in the target alone",
    request: "GET http://HOST/PATH HTTP/1.0\r\n\r\n",
    upstream: [/\r\nhost: [a-z.]+\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9112 3.2.2: a Host that names another is an attack",
    request: `GET http://HOST/PATH HTTP/1.1\r\nHost: other.example\r\n${END}`,
    client: [/^HTTP\/1\.1 400 [^]*h1\.host_mismatch/],
  },
  {
    name: "RFC 9110 4.2.2: https is not spoken on a plain port",
    request: `GET https://HOST/PATH HTTP/1.1\r\nHost: HOST\r\n${END}`,
    client: [/^HTTP\/1\.1 400 [^]*h1\.bad_target/],
  },
  {
    name: "RFC 9110 9.1: methods nobody here knows are passed on",
    request: `PROPFIND /PATH HTTP/1.1\r\nHost: HOST\r\nDepth: 1\r\n${END}`,
    upstream: [/^PROPFIND \//, /\r\ndepth: 1\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
];

const BODIES: readonly ProxyCase[] = [
  {
    name: "RFC 9112 7.1: a body of unknown length stays one, chunk extensions end here",
    request: "POST /PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n" + END +
      '3;a=1\r\nabc\r\n4;b="x;y"\r\ndefg\r\n0\r\n\r\n',
    upstream: [/\r\ntransfer-encoding: chunked\r\n/i, /abc[^]*defg\r\n0\r\n\r\n$/],
    notUpstream: [/;a=1|;b=|content-length/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9112 6.2: a body of known length keeps it",
    request: `POST /PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\n${END}body`,
    upstream: [/\r\ncontent-length: 4\r\n/i, /\r\n\r\nbody$/],
    notUpstream: [/transfer-encoding/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9110 6.5: trailers pass both ways, those that act as headers do not",
    request: "POST /PATH HTTP/1.1\r\nHost: HOST\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n" +
      `Connection: te, close\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 5\r\nAuthorization: no\r\nX-Sum: 7\r\n\r\n`,
    reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "2\r\nok\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 99\r\nX-Denim-Peer: me\r\nX-Sum: 8\r\n\r\n",
    upstream: [/0\r\ngrpc-status: 5\r\nx-sum: 7\r\n\r\n$/i],
    notUpstream: [/authorization/i],
    client: [/0\r\ngrpc-status: 0\r\nx-sum: 8\r\n\r\n$/],
    notClient: [/content-length|x-denim-peer/i],
  },
  {
    name: "RFC 9112 6.3: an answer that ends with its connection comes whole, as chunks",
    request: get(),
    reply: "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    script: { close: true },
    upstream: [/^GET /],
    client: [/transfer-encoding: chunked\r\n[^]*until the end\r\n0\r\n\r\n$/],
  },
  {
    name: "RFC 9112 8: an answer cut in the middle is not made to look whole",
    request: get(),
    reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    script: { close: true },
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 200 [^]*hello/],
    notClient: [/0\r\n\r\n$/],
  },
  {
    name: "RFC 9112 6.3: nor one that is shorter than it says",
    request: get(),
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    script: { close: true },
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 200 [^]*content-length: 10\r\n[^]*hello$/i],
  },
  {
    name: "RFC 9110 9.3.2: the answer to HEAD says how long the body would be, and has none",
    request: `HEAD /PATH HTTP/1.1\r\nHost: HOST\r\n${END}`,
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
    upstream: [/^HEAD /],
    client: [/^HTTP\/1\.1 200 [^]*content-length: 1234\r\n[^]*\r\n\r\n$/i],
  },
  {
    name: "RFC 9110 15.4.5: 304 keeps the length it speaks of, and has no body",
    request: get(),
    reply: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n',
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 304 [^]*content-length: 9\r\n[^]*\r\n\r\n$/i],
  },
  {
    name: "RFC 9110 15.3.5: 204 has neither a body nor a length",
    request: get(),
    reply: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 204 [^]*\r\n\r\n$/],
    notClient: [/content-length|transfer-encoding|hello/i],
  },
  {
    name: "RFC 9112 6.3: an answer with a length and a coding is refused",
    request: get(),
    reply: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 502 [^]*denim-fault: /],
  },
];

const VERSIONS: readonly ProxyCase[] = [
  {
    name: "RFC 9112 6.1: an HTTP/1.0 client gets no chunks",
    request: "GET /PATH HTTP/1.0\r\nHost: HOST\r\n\r\n",
    reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    upstream: [/^GET \S+ HTTP\/1\.1\r\n/],
    client: [/^HTTP\/1\.1 200 [^]*connection: close\r\n[^]*\r\n\r\nhello$/],
    notClient: [/transfer-encoding/i],
  },
  {
    name: "RFC 9110 15.2: an HTTP/1.0 client gets no interim answers",
    request: "GET /PATH HTTP/1.0\r\nHost: HOST\r\n\r\n",
    reply: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}\r\nok`,
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 200 /],
    notClient: [/103/],
  },
  {
    name: "RFC 9112 9.3: an HTTP/1.0 client may ask to be kept",
    request: "GET /PATH HTTP/1.0\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n" +
      "GET /PATH HTTP/1.0\r\nHost: HOST\r\n\r\n",
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 200 [^]*connection: keep-alive\r\n[^]*okHTTP\/1\.1 200 /],
  },
  {
    name: "RFC 9112 9.3: an HTTP/1.0 origin is understood",
    request: get(),
    reply: "HTTP/1.0 200 OK\r\n\r\nold",
    script: { close: true },
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 200 [^]*3\r\nold\r\n0\r\n\r\n$/],
  },
  {
    name: "RFC 9110 10.1.1: Expect of an HTTP/1.0 client is ignored",
    request:
      "POST /PATH HTTP/1.0\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    upstream: [/\r\n\r\nhi$/],
    notUpstream: [/expect/i],
    client: [/^HTTP\/1\.1 200 /],
  },
];

const INTERIM: readonly ProxyCase[] = [
  {
    name: "RFC 9110 15.2: interim answers are passed on as they come: 102, 103 with its fields",
    request: get(),
    reply: "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" +
      `${OK}\r\nok`,
    upstream: [/^GET /],
    client: [
      /^HTTP\/1\.1 102 [^]*HTTP\/1\.1 103 [^]*\r\nlink: <\/style\.css>\r\n[^]*HTTP\/1\.1 200 [^]*ok$/i,
    ],
  },
  {
    name: "RFC 9110 15.2: ten of them, and an unknown one among them",
    request: get(),
    reply: "HTTP/1.1 199 Huh\r\n\r\n".repeat(10) + `${OK}\r\nok`,
    upstream: [/^GET /],
    client: [/^(HTTP\/1\.1 199 [^]*?\r\n\r\n){10}HTTP\/1\.1 200 /],
  },
  {
    name: "more than ten interim answers are a flood",
    request: get(),
    reply: "HTTP/1.1 102 Processing\r\n\r\n".repeat(11) + `${OK}\r\nok`,
    upstream: [/^GET /],
    client: [/HTTP\/1\.1 502 [^]*denim-fault: h1\.too_many_interim/],
    notClient: [/HTTP\/1\.1 200/],
  },
  {
    name: "RFC 9110 15.2.2: a switch nobody asked for is none",
    request: get(),
    reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    upstream: [/^GET /],
    client: [/^HTTP\/1\.1 502 [^]*denim-fault: h1\.unasked_switch/],
  },
];

const FIELDS: readonly ProxyCase[] = [
  {
    name: "RFC 9110 6.6.1: an answer without Date gets one",
    request: get(),
    upstream: [/^GET /],
    client: [/\r\ndate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/],
  },
  {
    name: "RFC 9110 6.6.1: one that has it keeps it",
    request: get(),
    reply: `${OK}Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\nok`,
    upstream: [/^GET /],
    client: [/\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\n/i],
    notClient: [/\r\ndate:[^]*\r\ndate:/i],
  },
  {
    name: "RFC 6265 3: Set-Cookie lines stay apart, in order",
    request: get(),
    reply: `${OK}Set-Cookie: a=1\r\nX: y\r\nSet-Cookie: b=2, c\r\n\r\nok`,
    upstream: [/^GET /],
    client: [/\r\nset-cookie: a=1\r\n[^]*\r\nset-cookie: b=2, c\r\n/i],
  },
  {
    name: "RFC 9110 5.5: bytes above ASCII in values arrive as they were",
    request: get("X-Name: caf\xe9 \xff\r\n"),
    reply: `${OK}X-Name: \xe9t\xe9\r\n\r\nok`,
    upstream: [/\r\nx-name: caf\xe9 \xff\r\n/i],
    client: [/\r\nx-name: \xe9t\xe9\r\n/i],
  },
  {
    name: "RFC 9110 5.3: repeated fields stay apart, in order",
    request: get("X-Many: 1\r\nX-Many: 2\r\nX-Many: 1\r\n"),
    upstream: [/x-many: 1\r\nx-many: 2\r\nx-many: 1\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "nobody but a proxy says who called",
    request: get("X-Denim-Peer: spiffe://mesh.local/ns/default/sa/admin\r\nX_Denim_Peer: x\r\n"),
    upstream: [/^GET /],
    notUpstream: [/sa\/admin|x_denim/i],
    client: [/^HTTP\/1\.1 200 /],
  },
  {
    name: "every request that reaches an app has an id",
    request: get(),
    upstream: [/\r\nx-request-id: [0-9a-f]{24}\r\n/i],
    client: [/^HTTP\/1\.1 200 /],
  },
];

export const PROXY_CASES: readonly ProxyCase[] = [
  ...HOP_BY_HOP,
  ...VIA,
  ...TARGETS,
  ...BODIES,
  ...VERSIONS,
  ...INTERIM,
  ...FIELDS,
];
