/** Requests of HTTP/2 as header lists, right ones and such that could be two, or others, once they are written as HTTP/1.1. */
import fc from "fast-check";

export interface H2Request {
  /** `name, value, …` with pseudo-header fields, as they are sent. */
  readonly lines: readonly string[];
  readonly body: string;
  /** How many DATA frames the body comes in; 0: the head ends the request, whatever the body is. */
  readonly frames: number;
  readonly trailers: readonly string[] | null;
}

const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n";

const METHODS = [
  ...[
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "get",
    "M-SEARCH",
    "PRI",
    "TRACE",
  ],
  ...["", "G ET", "GET / HTTP/1.1\r\nx: ", "CONNECT", "GET\0", "G\xc9T", "A".repeat(40)],
];
const SCHEMES = ["http", "https", "HTTP", "ftp", "", "http://evil/?", "http\r\n"];
const AUTHORITIES = [
  ...["a.test", "A.Test", "a.test:80", "a.test:8080", "[::1]:80", "127.0.0.1", "xn--nxa.test"],
  ...["", "a.test:", "a.test:99999", "a.test:8x", "user@a.test", "a.test,b.test", "a.test b.test"],
  ...["a.test/evil", "a.test?x", "a.test#x", "a%2etest", "[::1", "a\\b", "a.test\r\nx: y", "a:b:c"],
  ...["a_b.test", "*.test", "(a)", "a;b", "a'b", "~a", "a=b", "\xe9.test", "a.test."],
];
const PATHS = [
  ...[
    "/",
    "/a",
    "/a?b=c",
    "/a/b/../c",
    "/%61",
    "//a",
    "/a//b",
    "/a?x=%00&y=//",
    "/a;v=1",
    "/*",
    "/a:b",
  ],
  ...[
    "*",
    "",
    "a",
    "?",
    "http://evil/",
    "//evil/x",
    "/a b",
    "/a\tb",
    "/a#b",
    "/a\\b",
    "/\x80",
    "/a\x7f",
  ],
  ...[
    "/%0d%0ax",
    "/%",
    "/%zz",
    "/%2f",
    "/%00",
    "/a HTTP/1.1\r\nx: y",
    '/"<>^`{|}',
    '/a?q=<">`{|}^\\',
  ],
  ...["/a\r\n\r\n" + SMUGGLED, "/a\n", "/..", "/a/%2e%2e/b", "/" + "p".repeat(3000)],
];
const FIELDS: readonly (readonly [string, string])[] = [
  ...[["accept", "*/*"], ["x-a", "1"], ["x-a", "2"], ["x-empty", ""], [
    "x-latin",
    "\xe9\xff",
  ]] as const,
  ...[["cookie", "a=1"], ["cookie", "b=2; c=3"], ["cookie", ""], ["te", "trailers"]] as const,
  ...[["content-length", "0"], ["content-length", "5"], ["content-length", "05"]] as const,
  ...[["content-length", "+5"], ["content-length", "5,5"], ["content-length", "5 "]] as const,
  ...[["content-length", "0x5"], ["content-length", ""], ["content-length", "-1"]] as const,
  ...[["content-length", "99999999999999999999"], ["content-length", "4294967301"]] as const,
  ...[["transfer-encoding", "chunked"], ["te", "chunked"], ["te", "trailers, deflate"]] as const,
  ...[["connection", "close"], ["connection", "x-a"], ["keep-alive", "1"], [
    "upgrade",
    "h2c",
  ]] as const,
  ...[["proxy-connection", "close"], ["http2-settings", "AAA"], [
    "expect",
    "100-continue",
  ]] as const,
  ...[["expect", "x"], ["proxy", "http://evil"], ["proxy-authorization", "Basic x"]] as const,
  ...[["host", "a.test"], ["host", "A.Test"], ["host", "evil"], ["host", ""]] as const,
  ...[["trailer", "x-t"], ["content-type", "a/b"], ["range", "bytes=0-"], ["x_y", "1"]] as const,
  ...[["x-forwarded-for", "1.2.3.4"], ["content_length", "3"], ["date", "now"]] as const,
  ...[["X-Upper", "1"], ["Transfer-Encoding", "chunked"], ["x y", "1"], ["x:", "1"]] as const,
  ...[["x\r\ny", "1"], ["", "1"], ["x\0", "1"], ["x-\xe9", "1"], ["(x)", "1"]] as const,
  ...[["x-a", "1\r\nx-b: 2"], ["x-a", "1\n"], ["x-a", "\r"], ["x-a", "\0"], ["x-a", " 1"]] as const,
  ...[["x-a", "1 "], ["x-a", "\t"], ["x-a", "\x0b"], ["x-a", "\x7f"], ["x-a", "a\tb"]] as const,
  ...[["x-a", `1\r\n\r\n${SMUGGLED}`], ["transfer-encoding\r\nx", "chunked"]] as const,
  ...[[":path", "/two"], [":method", "PUT"], [":x", "1"], [":status", "200"]] as const,
];
const TRAILERS: readonly (readonly string[])[] = [
  [],
  ["grpc-status", "0", "x-t", "v"],
  ["x-t", "1\r\nx: y"],
  ["X-T", "1"],
  [":path", "/"],
  ["content-length", "5"],
  ["transfer-encoding", "chunked"],
  ["host", "evil"],
  ["cookie", "a=1"],
];

/** The first of each list come most: what is wrong in every part is refused at the first of them. */
function mostly<T>(list: readonly T[], good: number): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...list.slice(0, good)) },
    fc.constantFrom(...list),
  );
}

const fields = fc.oneof(
  { weight: 3, arbitrary: fc.array(mostly(FIELDS, 9), { maxLength: 5 }) },
  fc.array(fc.constantFrom(...FIELDS), { maxLength: 4 }),
);

export const requests: fc.Arbitrary<H2Request> = fc.record({
  method: mostly(METHODS, 7),
  scheme: fc.oneof({ weight: 9, arbitrary: fc.constant("http") }, fc.constantFrom(...SCHEMES)),
  authority: mostly(AUTHORITIES, 7),
  path: mostly(PATHS, 11),
  fields,
  body: fc.constantFrom(
    "",
    "",
    "hello",
    "hello",
    "0\r\n\r\n" + SMUGGLED,
    SMUGGLED,
    "x".repeat(9000),
  ),
  frames: fc.nat(3),
  declared: fc.boolean(),
  trailers: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, mostly(TRAILERS, 2)),
  order: fc.nat(40),
}).map(({ method, scheme, authority, path, fields, body, frames, declared, trailers, order }) => {
  const lines = [":method", method, ":scheme", scheme, ":authority", authority, ":path", path];
  // Now and then one is left out, or comes late.
  if (order < 4) lines.splice(order * 2, 2);
  const all = [...lines, ...fields.flat()];
  if (declared && frames > 0) all.push("content-length", String(body.length));
  if (order === 5) all.push(...all.splice(4, 2));
  return { lines: all, body, frames: trailers !== null && frames === 0 ? 1 : frames, trailers };
});
