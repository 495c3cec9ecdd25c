/**
 * HTTP/1.1 strictness as a table: what a client or an upstream may try, as raw bytes, and what must
 * come of it. Plain data: `cases_test.ts` runs it against the codec, others against a live proxy.
 */

/** Latin-1 text, one char per byte, sent as it is. */
export interface RequestCase {
  /** The clause or the attack, then what is sent. */
  readonly name: string;
  readonly raw: string;
  /** Refused with this status, this code in `denim-fault`, and a closed connection. */
  readonly refused?: { readonly status: number; readonly fault: string };
  /** Accepted: `METHOD path` of each request that must reach the backend, in order, and nothing else. */
  readonly accepted?: readonly string[];
  /** A listener takes it for something else than HTTP/1.1: for the codec alone. */
  readonly codecOnly?: true;
  /** What the one accepted request must look like behind the codec. */
  readonly body?: string;
  readonly authority?: string;
  /** Field lines that must be, and names that must not be, among those passed on. */
  readonly fields?: readonly string[];
  readonly absent?: readonly string[];
}

export interface ResponseCase {
  readonly name: string;
  /** The method it answers; GET when left out. */
  readonly method?: string;
  readonly raw: string;
  /** The upstream closes after it. */
  readonly eof?: boolean;
  /** The exchange ends with this fault. */
  readonly fault?: string;
  /** The exchange ends well: its status, its body, and whether the connection may be used again. */
  readonly status?: number;
  readonly body?: string;
  readonly reusable?: boolean;
  readonly fields?: readonly string[];
  readonly absent?: readonly string[];
}

const GET = "GET / HTTP/1.1\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\n";
const HOST = "Host: a\r\n";
const WS = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const HANDSHAKE = `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`;

function refused(name: string, raw: string, fault: string, status = 400): RequestCase {
  return { name, raw, refused: { status, fault: `h1.${fault}` } };
}

function head(fields: string): string {
  return `${GET}${HOST}${fields}\r\n`;
}

function chunked(body: string): string {
  return `${POST}Transfer-Encoding: chunked\r\n\r\n${body}`;
}

const LENGTHS: readonly RequestCase[] = [
  ...[
    ["a sign", "+5"],
    ["a negative", "-1"],
    ["hexadecimal", "0x5"],
    ["an underscore", "5_0"],
    ["nothing", ""],
    ["a list of equals", "5, 5"],
    ["a list", "5,6"],
    ["a leading comma", ",5"],
    ["inner white space", "5 5"],
    ["a decimal point", "5.0"],
    ["letters", "5abc"],
    ["an exponent", "1e3"],
    ["leading zeros", "005"],
    ["many leading zeros", "0000000000000000000005"],
    ["more than 2^53", "9007199254740992"],
    ["more than 2^64", "18446744073709551621"],
    ["a vertical tab", "\x0b5"],
  ].map(([what, value]) =>
    refused(
      `CL: Content-Length with ${what}`,
      `${POST}Content-Length: ${value}\r\n\r\nhello`,
      what === "a vertical tab" ? "bad_field_value" : "bad_content_length",
    )
  ),
  refused(
    "CL.CL: two lengths that differ",
    `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
    "bad_content_length",
  ),
  refused(
    "CL.CL: two equal lengths",
    `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
    "bad_content_length",
  ),
  refused(
    "CL.TE: both, length first",
    `${POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`,
    "length_and_coding",
  ),
  refused(
    "TE.CL: both, coding first",
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n`,
    "length_and_coding",
  ),
  {
    name: "CL: the length hides in a field of another name",
    raw: `${POST}Content-Length : 5\r\n\r\nhello`,
    refused: { status: 400, fault: "h1.bad_field_name" },
  },
  { name: "CL: zero", raw: `${POST}Content-Length: 0\r\n\r\n`, accepted: ["POST /"], body: "" },
  {
    name: "CL: white space around the number",
    raw: `${POST}Content-Length:\t 5 \t\r\n\r\nhello`,
    accepted: ["POST /"],
    body: "hello",
  },
  {
    name: "CL.0: a body with GET belongs to the GET",
    raw: `${GET}${HOST}Content-Length: 24\r\n\r\nGET /admin HTTP/1.1\r\nX: `,
    accepted: ["GET /"],
    body: "GET /admin HTTP/1.1\r\nX: ",
  },
];

const CODINGS: readonly RequestCase[] = [
  ...[
    ["chunked last but one", "chunked, identity", "bad_transfer_encoding", 400],
    ["chunked twice", "chunked, chunked", "bad_transfer_encoding", 400],
    ["a leading comma", ",chunked", "bad_transfer_encoding", 400],
    ["a trailing comma", "chunked,", "bad_transfer_encoding", 400],
    ["quotes", '"chunked"', "bad_transfer_encoding", 400],
    ["nothing", "", "bad_transfer_encoding", 400],
    ["a parameter", "chunked;q=1", "bad_transfer_encoding", 400],
    ["inner white space", "chunked chunked", "bad_transfer_encoding", 400],
    ["a name that ends like it", "xchunked", "unknown_transfer_coding", 501],
    ["a name that begins like it", "chunkedx", "unknown_transfer_coding", 501],
    ["gzip before it", "gzip, chunked", "unknown_transfer_coding", 501],
    ["gzip", "gzip", "unknown_transfer_coding", 501],
    ["identity", "identity", "unknown_transfer_coding", 501],
    ["a vertical tab", "\x0bchunked", "bad_field_value", 400],
    ["a form feed", "chunked\x0c", "bad_field_value", 400],
    ["a no-break space", "\xa0chunked", "bad_transfer_encoding", 400],
  ].map(([what, value, fault, status]) =>
    refused(
      `TE: Transfer-Encoding with ${what}`,
      `${POST}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`,
      String(fault),
      Number(status),
    )
  ),
  refused(
    "TE.TE: two lines",
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    "bad_transfer_encoding",
  ),
  refused(
    "TE.TE: two equal lines",
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "bad_transfer_encoding",
  ),
  refused(
    "TE: in HTTP/1.0",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad_transfer_encoding",
  ),
  refused(
    "TE: white space before the colon",
    `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    "bad_field_name",
  ),
  refused(
    "TE: folded onto the next line",
    `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
    "obs_fold",
  ),
  refused(
    "TE: behind a bare CR in another value",
    `${POST}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "bad_line_end",
  ),
  {
    name: "TE: any case, white space around",
    raw: `${POST}Transfer-Encoding: \tChUnKeD \r\n\r\n0\r\n\r\n`,
    accepted: ["POST /"],
    body: "",
    absent: ["transfer-encoding"],
  },
];

const CHUNKS: readonly RequestCase[] = [
  ...[
    ["a prefix", "0x3\r\nabc\r\n0\r\n\r\n"],
    ["a sign", "+3\r\nabc\r\n0\r\n\r\n"],
    ["a negative sign", "-3\r\nabc\r\n0\r\n\r\n"],
    ["an underscore", "1_0\r\nabc\r\n0\r\n\r\n"],
    ["nothing", "\r\nabc\r\n0\r\n\r\n"],
    ["white space before", " 3\r\nabc\r\n0\r\n\r\n"],
    ["white space after", "3 \r\nabc\r\n0\r\n\r\n"],
    ["junk after", "3x\r\nabc\r\n0\r\n\r\n"],
    ["17 digits", "00000000000000003\r\nabc\r\n0\r\n\r\n"],
    ["an overflow of 64 bits", "ffffffffffffffff\r\nabc\r\n"],
    ["an overflow of 53 bits", "20000000000000\r\nabc\r\n"],
    ["a bare LF", "3\nabc\r\n0\r\n\r\n"],
    ["data one byte too long", "3\r\nabcd\r\n0\r\n\r\n"],
    ["data one byte too short", "4\r\nabc\r\n0\r\n\r\n"],
    ["no line end after its data", "3\r\nabc0\r\n\r\n"],
    ["a bare LF after its data", "3\r\nabc\n0\r\n\r\n"],
  ].map(([what, body]) => refused(`chunk size with ${what}`, chunked(body!), "bad_chunk_size")),
  refused("chunk size with a bare CR", chunked("3\rabc\r\n0\r\n\r\n"), "bad_line_end"),
  refused(
    "chunk extension: bare LF inside (CVE-2025-55315)",
    chunked("1;a\nx\r\nz\r\n0\r\n\r\n"),
    "bad_chunk_extension",
  ),
  refused(
    "chunk extension: bare CR inside",
    chunked("1;a\rx\r\nz\r\n0\r\n\r\n"),
    "bad_line_end",
  ),
  refused(
    "chunk extension: a quoted string that spans the line end (Funky Chunks)",
    chunked('1;a="\r\nz\r\n0\r\n\r\n'),
    "bad_chunk_extension",
  ),
  refused(
    "chunk extension: an escape before the line end",
    chunked('1;a="\\\r\nz\r\n0\r\n\r\n'),
    "bad_chunk_extension",
  ),
  refused("chunk extension: no name", chunked("1;\r\nz\r\n0\r\n\r\n"), "bad_chunk_extension"),
  refused("chunk extension: NUL", chunked("1;a\0\r\nz\r\n0\r\n\r\n"), "bad_chunk_extension"),
  refused("chunk extension: non-ASCII", chunked("1;a=\xe9\r\nz\r\n"), "bad_chunk_extension"),
  refused(
    "chunk extension: more than 256 bytes in a line",
    chunked(`1;${"a".repeat(257)}\r\nz\r\n0\r\n\r\n`),
    "bad_chunk_extension",
  ),
  refused(
    "chunk extension: more than 8 KiB in a message",
    chunked(`1;${"a".repeat(200)}\r\nz\r\n`.repeat(41) + "0\r\n\r\n"),
    "bad_chunk_extension",
  ),
  {
    name: "chunk extension: well-formed ones are dropped",
    raw: chunked('1;a\r\nx\r\n1;b=c;d="e\\";f"\r\ny\r\n1; g = h\r\nz\r\n0;last\r\n\r\n'),
    accepted: ["POST /"],
    body: "xyz",
  },
  {
    name: "chunk size: upper and lower case, leading zeros up to 16 digits",
    raw: chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0000000000000001\r\n!\r\n000\r\n\r\n"),
    accepted: ["POST /"],
    body: "01234567890123456789!",
  },
  {
    name: "chunks: a request hides in the data",
    raw: chunked("1e\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n..\r\n0\r\n\r\n"),
    accepted: ["POST /"],
    body: "GET /x HTTP/1.1\r\nHost: a\r\n\r\n..",
  },
];

const TRAILERS: readonly RequestCase[] = [
  {
    name: "trailers: framing and credentials are dropped, gRPC's are passed",
    raw: chunked(
      "0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\nHost: b\r\nGrpc-Status: 0\r\n\r\n",
    ),
    accepted: ["POST /"],
    body: "",
    absent: ["content-length", "authorization"],
  },
  refused("trailers: folded", chunked("0\r\nA: b\r\n c\r\n\r\n"), "obs_fold"),
  refused("trailers: no colon", chunked("0\r\nA\r\n\r\n"), "bad_field_name"),
  refused("trailers: bare LF", chunked("0\r\nA: b\n\r\n"), "bad_line_end"),
  refused("trailers: bare LF at the end", chunked("0\r\n\n"), "bad_line_end"),
  refused("trailers: \\r\\n\\rX", chunked("0\r\n\rX"), "bad_line_end"),
  refused(
    "trailers: more than 8 KiB",
    chunked(`0\r\nA: ${"b".repeat(9000)}\r\n\r\n`),
    "trailers_too_large",
    431,
  ),
];

const LINES: readonly RequestCase[] = [
  refused("bare LF ends the request line", `GET / HTTP/1.1\n${HOST}\r\n`, "bad_line_end"),
  refused("bare LF ends a field line", `${GET}Host: a\nX: y\r\n\r\n`, "bad_line_end"),
  refused("bare LF ends the head", `${GET}${HOST}\n`, "bad_line_end"),
  refused("bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", "bad_line_end"),
  refused("bare CR ends the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", "bad_line_end"),
  refused("bare CR ends a field line", `${GET}Host: a\rX: y\r\n\r\n`, "bad_line_end"),
  refused("\\r\\n\\rX ends the head", `${GET}${HOST}\rX\r\n\r\n`, "bad_line_end"),
  refused("CR CR LF ends a line", `${GET}Host: a\r\r\n\r\n`, "bad_line_end"),
  refused("NUL in a value", head("X: a\0b\r\n"), "bad_field_value"),
  refused("DEL in a value", head("X: a\x7fb\r\n"), "bad_field_value"),
  refused("escape in a value", head("X: \x1b[31m\r\n"), "bad_field_value"),
  refused("NUL in a name", head("X\0Y: a\r\n"), "bad_field_name"),
  refused("obs-fold with a space", head("X: a\r\n b\r\n"), "obs_fold"),
  refused("obs-fold with a tab", head("X: a\r\n\tb\r\n"), "obs_fold"),
  refused("obs-fold on the first field line", `${GET} Host: a\r\n\r\n`, "obs_fold"),
  refused("white space before the colon", head("X : a\r\n"), "bad_field_name"),
  refused("tab before the colon", head("X\t: a\r\n"), "bad_field_name"),
  refused("empty name", head(": a\r\n"), "bad_field_name"),
  refused("no colon", head("X\r\n"), "bad_field_name"),
  refused("a line of white space only", head(" \r\n"), "obs_fold"),
  refused("non-token in a name", head("X(Y): a\r\n"), "bad_field_name"),
  refused("non-ASCII in a name", head("X\xe9: a\r\n"), "bad_field_name"),
  refused("quotes in a name", head('"X": a\r\n'), "bad_field_name"),
  { name: "an empty value", raw: head("X:\r\n"), accepted: ["GET /"], fields: ["x", ""] },
  {
    name: "white space around a value is dropped, inside it kept",
    raw: head("X:  a \t b\t \r\n"),
    accepted: ["GET /"],
    fields: ["x", "a \t b"],
  },
  {
    name: "bytes above ASCII in a value",
    raw: head("X: \xe9\xff\r\n"),
    accepted: ["GET /"],
    fields: ["x", "\xe9\xff"],
  },
  {
    name: "every token char in a name",
    raw: head("!#$%&'*+-.^_`|~09AZaz: v\r\n"),
    accepted: ["GET /"],
    fields: ["!#$%&'*+-.^_`|~09azaz", "v"],
  },
  {
    name: "repeated fields stay apart and in order",
    raw: head("X: 1\r\nY: 2\r\nx: 3\r\n"),
    accepted: ["GET /"],
    fields: ["x", "1", "y", "2", "x", "3"],
  },
  {
    name: "RFC 9112 2.2: an empty line before the request line is skipped",
    raw: `\r\n${head("")}`,
    accepted: ["GET /"],
  },
  refused("too many empty lines before the request line", "\r\n".repeat(6), "bad_request_line"),
  refused("a bare LF before the request line", `\n${head("")}`, "bad_line_end"),
  refused("a space before the request line", ` ${head("")}`, "bad_method"),
];

const HOSTS: readonly RequestCase[] = [
  refused("no Host on HTTP/1.1", `${GET}\r\n`, "bad_host"),
  refused("two Host lines", `${GET}${HOST}Host: b\r\n\r\n`, "bad_host"),
  refused("two equal Host lines", `${GET}${HOST}${HOST}\r\n`, "bad_host"),
  ...[
    ["nothing", ""],
    ["user information", "u@a"],
    ["a path", "a/b"],
    ["a comma", "a,b"],
    ["a space", "a b"],
    ["a query", "a?b"],
    ["a fragment", "a#b"],
    ["a backslash", "a\\b"],
    ["an escape", "a%00b"],
    ["a scheme", "http://a"],
    ["an empty port", "a:"],
    ["a port too large", "a:65536"],
    ["a port of six digits", "a:000080"],
    ["a port of letters", "a:b"],
    ["a signed port", "a:+80"],
    ["two ports", "a:80:80"],
    ["a port only", ":80"],
    ["an open bracket", "[::1"],
    ["junk after a bracket", "[::1]a"],
    ["empty brackets", "[]"],
    ["a zone", "[fe80::1%25eth0]"],
    ["a bare IPv6 address", "::1"],
    ["non-ASCII", "\xe9"],
    ["a name too long", `${"a".repeat(300)}`],
  ].map(([what, host]) => refused(`Host with ${what}`, `${GET}Host: ${host}\r\n\r\n`, "bad_host")),
  refused("Host with NUL", `${GET}Host: a\0b\r\n\r\n`, "bad_field_value"),
  {
    name: "Host in upper case",
    raw: `${GET}Host: A.Example.COM:8080\r\n\r\n`,
    accepted: ["GET /"],
    authority: "a.example.com:8080",
    absent: ["host"],
  },
  {
    name: "Host as an IPv6 address",
    raw: `${GET}Host: [2001:DB8::1]:80\r\n\r\n`,
    accepted: ["GET /"],
    authority: "[2001:db8::1]:80",
  },
  {
    name: "HTTP/1.0 without Host",
    raw: "GET /x HTTP/1.0\r\n\r\n",
    accepted: ["GET /x"],
    authority: "",
  },
];

const TARGETS: readonly RequestCase[] = [
  refused("two spaces after the method", `GET  / HTTP/1.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("two spaces after the target", `GET /  HTTP/1.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("a tab after the method", `GET\t/ HTTP/1.1\r\n${HOST}\r\n`, "bad_method"),
  refused("a tab after the target", `GET /\tHTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("a space after the version", `GET / HTTP/1.1 \r\n${HOST}\r\n`, "bad_request_line"),
  refused("a space in the target", `GET /a b HTTP/1.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("no target", `GET HTTP/1.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("a fragment (CVE-2023-45539)", `GET /a#b HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("a fragment in the query", `GET /a?b#c HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("raw non-ASCII", `GET /\xe9 HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("raw non-ASCII in the query", `GET /?\xe9 HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("NUL in the target", `GET /\0 HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("DEL in the target", `GET /\x7f HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("a backslash in the path", `GET /a\\b HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("a target without a slash", `GET a HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("a target that is only a query", `GET ?a HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("authority form with GET", `GET a:80 HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused("asterisk form with GET", `GET * HTTP/1.1\r\n${HOST}\r\n`, "bad_target"),
  refused(
    "user information in the target",
    `GET http://u@a/ HTTP/1.1\r\n${HOST}\r\n`,
    "bad_target",
  ),
  refused(
    "an absolute target of another scheme",
    `GET ftp://a/ HTTP/1.1\r\n${HOST}\r\n`,
    "bad_target",
  ),
  refused(
    "an absolute target without a host",
    `GET http:///a HTTP/1.1\r\n${HOST}\r\n`,
    "bad_target",
  ),
  refused(
    "an absolute target of another host",
    `GET http://b/ HTTP/1.1\r\n${HOST}\r\n`,
    "host_mismatch",
  ),
  refused(
    "an absolute target of another port",
    `GET http://a:81/ HTTP/1.1\r\n${HOST}\r\n`,
    "host_mismatch",
  ),
  refused(
    "an absolute target and no Host on HTTP/1.1",
    "GET http://a/ HTTP/1.1\r\n\r\n",
    "bad_host",
  ),
  {
    name: "an absolute target of the same host",
    raw: `GET HTTP://A:80/x?y HTTP/1.1\r\n${HOST}\r\n`,
    accepted: ["GET /x?y"],
    authority: "a",
  },
  {
    name: "an absolute target without a path",
    raw: `GET http://a?y HTTP/1.1\r\n${HOST}\r\n`,
    accepted: ["GET /?y"],
  },
  { name: "asterisk form", raw: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, accepted: ["OPTIONS *"] },
  {
    name: "chars that browsers send raw",
    raw: `GET /a|b{c}[d]^\`;,'!()?e=\\f|{g}"<>?& HTTP/1.1\r\n${HOST}\r\n`,
    accepted: ["GET /a|b{c}[d]^\`;,'!()?e=\\f|{g}\"<>?&"],
  },
  {
    name: "escapes are passed as they are",
    raw: `GET /%41%2e%2e/%7E?%23 HTTP/1.1\r\n${HOST}\r\n`,
    accepted: ["GET /%41%2e%2e/%7E?%23"],
  },
  refused("an empty method", ` / HTTP/1.1\r\n${HOST}\r\n`, "bad_method"),
  refused("a method with a colon", `GET: / HTTP/1.1\r\n${HOST}\r\n`, "bad_method"),
  refused("a method too long", `${"A".repeat(33)} / HTTP/1.1\r\n${HOST}\r\n`, "bad_method"),
  {
    name: "a method nobody knows",
    raw: `brew-IT / HTTP/1.1\r\n${HOST}\r\n`,
    accepted: ["brew-IT /"],
  },
];

const VERSIONS: readonly RequestCase[] = [
  refused("HTTP/0.9", "GET /\r\n", "bad_request_line"),
  refused("HTTP/0.9 with a space", "GET / \r\n", "bad_request_line"),
  refused("HTTP/2.0", `GET / HTTP/2.0\r\n${HOST}\r\n`, "bad_version", 505),
  refused("HTTP/1.2", `GET / HTTP/1.2\r\n${HOST}\r\n`, "bad_version", 505),
  refused("HTTP/0.9 by name", `GET / HTTP/0.9\r\n${HOST}\r\n`, "bad_version", 505),
  {
    ...refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad_version", 505),
    codecOnly: true,
  },
  refused("the beginning of it", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", "bad_version", 505),
  refused("the method of it", `PRI / HTTP/1.1\r\n${HOST}\r\n`, "bad_method"),
  refused("HTTP/1.32", `GET / HTTP/1.32\r\n${HOST}\r\n`, "bad_request_line"),
  refused("HTTP/1", `GET / HTTP/1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("HTTP/01.1", `GET / HTTP/01.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("http/1.1", `GET / http/1.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("HTTPS/1.1", `GET / HTTPS/1.1\r\n${HOST}\r\n`, "bad_request_line"),
  refused("a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "bad_method"),
  refused("an SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", "bad_method"),
];

const HOPS: readonly RequestCase[] = [
  ...[
    "Authorization",
    "Cookie",
    "Content-Length",
    "Content-Type",
    "Host",
    "Transfer-Encoding",
    "X-Forwarded-For",
    "X-Forwarded-Client-Cert",
    "X-Denim-Peer",
    "X-Real-IP",
    "Via",
    "Range",
    "Expect",
    "If-Match",
    "Grpc-Timeout",
    "Traceparent",
  ].map((name) =>
    refused(
      `hop-by-hop abuse (CVE-2022-31813): Connection names ${name}`,
      head(`Connection: close, ${name}\r\n`),
      "bad_connection_option",
    )
  ),
  refused(
    "Connection with something that is no token",
    head("Connection: a b\r\n"),
    "bad_connection_option",
  ),
  {
    name: "hop-by-hop fields are removed",
    raw: head(
      "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n" +
        "Proxy-Authorization: x\r\nProxy: http://evil\r\nUpgrade: websocket\r\nX-Stays: 1\r\n",
    ),
    accepted: ["GET /"],
    fields: ["x-stays", "1"],
    absent: [
      "connection",
      "x-hop",
      "keep-alive",
      "proxy-connection",
      "proxy-authorization",
      "proxy",
      "upgrade",
    ],
  },
  {
    name: "TE: trailers is kept, other codings are not offered",
    raw: head("TE: gzip;q=0.5, trailers\r\nConnection: TE\r\n"),
    accepted: ["GET /"],
    fields: ["te", "trailers"],
    absent: ["connection"],
  },
  {
    name: "TE without trailers is removed",
    raw: head("TE: gzip\r\n"),
    accepted: ["GET /"],
    absent: ["te"],
  },
  {
    name: "h2c smuggling: the upgrade is dropped, the request goes on as HTTP/1.1",
    raw: head(
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    ),
    accepted: ["GET /"],
    absent: ["upgrade", "http2-settings", "connection"],
  },
  refused("WebSocket without a key", head(`${WS}Sec-WebSocket-Version: 13\r\n`), "bad_handshake"),
  ...[
    ["of 15 bytes", "AAAAAAAAAAAAAAAAAAAA"],
    ["that is no base64", "!!!!!!!!!!!!!!!!!!!!!!=="],
    ["with bits that nobody reads", "AAAAAAAAAAAAAAAAAAAAAB=="],
    ["sent twice", `${KEY}\r\nSec-WebSocket-Key: ${KEY}`],
  ].map(([name, key]) =>
    refused(
      `WebSocket with a key ${name}`,
      head(`${WS}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`),
      "bad_handshake",
    )
  ),
  refused(
    "WebSocket smuggling: a version nobody speaks, so that only the proxy sees a tunnel",
    head(`${WS}Sec-WebSocket-Version: 777\r\nSec-WebSocket-Key: ${KEY}\r\n`),
    "websocket_version",
    426,
  ),
  refused(
    "WebSocket without a version",
    head(`${WS}Sec-WebSocket-Key: ${KEY}\r\n`),
    "websocket_version",
    426,
  ),
  refused("WebSocket by POST", `${POST}${WS}${HANDSHAKE}\r\n`, "bad_handshake"),
  refused(
    "WebSocket and another protocol",
    head(`Connection: Upgrade\r\nUpgrade: websocket, foo\r\n${HANDSHAKE}`),
    "upgrade_refused",
    501,
  ),
  {
    name: "Upgrade from an HTTP/1.0 client is ignored (RFC 9110 7.8)",
    raw: `GET / HTTP/1.0\r\nHost: a\r\n${WS}${HANDSHAKE}\r\n`,
    accepted: ["GET /"],
    absent: ["upgrade", "connection"],
  },
  refused(
    "Upgrade to h2c or something else",
    head("Connection: Upgrade\r\nUpgrade: h2c, foo\r\n"),
    "upgrade_refused",
    501,
  ),
  refused(
    "Upgrade with a body and a request behind it (CVE-2026-58055)",
    head(`${WS}${HANDSHAKE}Content-Length: 3\r\n`) + `abc${head("")}`,
    "upgrade_with_body",
  ),
  refused(
    "Upgrade with a chunked body",
    head(`${WS}${HANDSHAKE}Transfer-Encoding: chunked\r\n`) + "0\r\n\r\n",
    "upgrade_with_body",
  ),
  ...["a", "/", "http://a:80/", "a:", "a:99999", "u@a:80", "*"].map((target) =>
    refused(`CONNECT ${target}`, `CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, "connect_target")
  ),
  refused(
    "CONNECT with another Host",
    "CONNECT a:80 HTTP/1.1\r\nHost: b:80\r\n\r\n",
    "host_mismatch",
  ),
  refused(
    "CONNECT with a body",
    `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabc${head("")}`,
    "upgrade_with_body",
  ),
  refused("Expect: something else", head("Expect: 200-ok\r\n"), "expectation", 417),
  {
    name: "Expect from an HTTP/1.0 client is dropped",
    raw: "GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
    accepted: ["GET /"],
    absent: ["expect"],
  },
];

const SIZES: readonly RequestCase[] = [
  refused(
    "a target of more than 8 KiB",
    `GET /${"a".repeat(8 * 1024 + 64)} HTTP/1.1\r\n${HOST}\r\n`,
    "target_too_long",
    414,
  ),
  refused(
    "a request line without an end",
    `GET /${"a".repeat(9000)}`,
    "target_too_long",
    414,
  ),
  refused(
    "a head of more than 64 KiB",
    head(`X: ${"a".repeat(1000)}\r\n`.repeat(66)),
    "head_too_large",
    431,
  ),
  refused(
    "one field line without an end",
    `${GET}${HOST}X: ${"a".repeat(66_000)}`,
    "head_too_large",
    431,
  ),
  refused("more than 100 field lines", head("X: a\r\n".repeat(100)), "too_many_fields", 431),
  {
    name: "100 field lines",
    raw: head("X: a\r\n".repeat(99)),
    accepted: ["GET /"],
  },
  {
    name: "a target of 8 KiB",
    raw: `GET /${"a".repeat(8 * 1024 - 1)} HTTP/1.1\r\n${HOST}\r\n`,
    accepted: [`GET /${"a".repeat(8 * 1024 - 1)}`],
  },
];

const PIPELINES: readonly RequestCase[] = [
  {
    name: "pipelining: bodies of both framings stay apart",
    raw: `${POST}Content-Length: 3\r\n\r\nabc${chunked("2\r\nde\r\n0\r\n\r\n")}${head("")}`,
    accepted: ["POST /", "POST /", "GET /"],
  },
  {
    name: "pipelining: the first request is answered, the malformed second refused",
    raw: `${head("")}GET / HTTP/1.1\r\nHost : a\r\n\r\n${head("")}`,
    accepted: ["GET /"],
    refused: { status: 400, fault: "h1.bad_field_name" },
  },
  {
    name: "pipelining: nothing after `Connection: close`",
    raw: `${head("Connection: close\r\n")}GET /second HTTP/1.1\r\n${HOST}\r\n`,
    accepted: ["GET /"],
  },
];

/** Every request of the refusal list, and those next to it that must pass. */
export const REQUESTS: readonly RequestCase[] = [
  ...LENGTHS,
  ...CODINGS,
  ...CHUNKS,
  ...TRAILERS,
  ...LINES,
  ...HOSTS,
  ...TARGETS,
  ...VERSIONS,
  ...HOPS,
  ...SIZES,
  ...PIPELINES,
];

const OK = "HTTP/1.1 200 OK\r\n";

function bad(name: string, raw: string, fault = "bad_response"): ResponseCase {
  return { name, raw, fault: `h1.${fault}` };
}

/** Every way an upstream may break the rules, and those next to it that must pass. */
export const RESPONSES: readonly ResponseCase[] = [
  bad("CL and TE", `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  bad("two lengths", `${OK}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`),
  bad("a list of lengths", `${OK}Content-Length: 3, 3\r\n\r\nabc`),
  bad("a signed length", `${OK}Content-Length: +3\r\n\r\nabc`),
  bad("an empty length", `${OK}Content-Length:\r\n\r\nabc`),
  bad("an unknown coding", `${OK}Transfer-Encoding: gzip\r\n\r\nabc`),
  bad("a coding before chunked", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
  bad("two codings", `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`),
  bad("TE from HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  bad("obs-fold", `${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`),
  bad("obs-fold on the first line", `${OK} X: a\r\n\r\n`),
  bad("white space before a colon", `${OK}X : a\r\n\r\n`),
  bad("no colon", `${OK}X\r\n\r\n`),
  bad("bare LF", `${OK}X: a\nContent-Length: 0\r\n\r\n`),
  bad("bare LF after the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
  bad("bare CR", `${OK}X: a\rContent-Length: 0\r\n\r\n`),
  bad("NUL in a value", `${OK}X: a\0\r\n\r\n`),
  bad("a bad chunk size", `${OK}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n`),
  bad("no line end after a chunk", `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n`),
  bad("bare LF in an extension", `${OK}Transfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n`),
  bad("a bad trailer", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n`),
  bad("Connection names Set-Cookie", `${OK}Connection: set-cookie\r\nContent-Length: 0\r\n\r\n`),
  bad("not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "bad_status_line"),
  bad("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", "bad_status_line"),
  bad("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "bad_status_line"),
  bad("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "bad_status_line"),
  bad("a status below 100", "HTTP/1.1 099 OK\r\n\r\n", "bad_status_line"),
  bad("a signed status", "HTTP/1.1 +20 OK\r\n\r\n", "bad_status_line"),
  bad("two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", "bad_status_line"),
  bad("an empty line first", `\r\n${OK}\r\n`, "bad_status_line"),
  bad("NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", "bad_status_line"),
  bad("a head too large", OK + `X: ${"a".repeat(1000)}\r\n`.repeat(66), "response_too_large"),
  bad("too many fields", OK + "X: a\r\n".repeat(101), "response_too_large"),
  bad("a status line too long", `HTTP/1.1 200 ${"a".repeat(9000)}`, "response_too_large"),
  bad("too many interim responses", "HTTP/1.1 100 Continue\r\n\r\n".repeat(11), "too_many_interim"),
  bad(
    "a switch of protocols",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "unasked_switch",
  ),
  {
    name: "the end in the middle of a length",
    raw: `${OK}Content-Length: 5\r\n\r\nabc`,
    eof: true,
    fault: "upstream.reset",
  },
  {
    name: "the end in the middle of a chunk",
    raw: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nabc`,
    eof: true,
    fault: "upstream.reset",
  },
  {
    name: "the end before the last chunk",
    raw: `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
    eof: true,
    fault: "upstream.reset",
  },
  { name: "the end in the head", raw: `${OK}X: a`, eof: true, fault: "upstream.reset" },
  { name: "the end at once", raw: "", eof: true, fault: "upstream.refused" },
  {
    name: "no reason and no space before it",
    raw: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    status: 200,
    body: "",
    reusable: true,
  },
  {
    name: "a reason above ASCII",
    raw: "HTTP/1.1 200 \xe9 \t!\r\nContent-Length: 0\r\n\r\n",
    status: 200,
    body: "",
    reusable: true,
  },
  {
    name: "response queue poisoning: a second response behind the first",
    raw: `${OK}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
    status: 200,
    body: "ok",
    reusable: false,
  },
  {
    name: "HEAD with a body behind it",
    method: "HEAD",
    raw: `${OK}Content-Length: 3\r\n\r\nabc`,
    status: 200,
    body: "",
    reusable: false,
  },
  {
    name: "304 with a body behind it",
    raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
    status: 304,
    body: "",
    reusable: false,
  },
  {
    name: "204 with a length",
    raw: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
    status: 204,
    body: "",
    reusable: false,
    absent: ["content-length"],
  },
  {
    name: "204 with a coding",
    raw: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    status: 204,
    body: "",
    reusable: false,
  },
  {
    name: "a body that ends with the connection",
    raw: `${OK}\r\nabc`,
    eof: true,
    status: 200,
    body: "abc",
    reusable: false,
  },
  {
    name: "hop-by-hop fields are removed",
    raw:
      `${OK}Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\n` +
      "Upgrade: h2c\r\nX-Stays: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    status: 200,
    body: "a",
    reusable: true,
    fields: ["x-stays", "1"],
    absent: [
      "connection",
      "x-hop",
      "keep-alive",
      "proxy-authenticate",
      "upgrade",
      "transfer-encoding",
    ],
  },
];
