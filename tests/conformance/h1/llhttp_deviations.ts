/** Where the codec and llhttp differ on purpose: how, in which fixtures, and why. */
export const DEVIATIONS: readonly (readonly [
  how: string,
  fixtures: readonly string[],
  reason: string,
])[] = [
  [
    "refused: h1.upgrade_refused",
    [
      "request/connection.md › `upgrade` › Setting a flag and pausing",
      "request/connection.md › `upgrade` › Emitting part of body and pausing",
      "request/connection.md › `upgrade` › Upgrade POST request",
    ],
    "WebSocket is the only upgrade",
  ],
  [
    "refused: h1.bad_content_length",
    [
      "request/content-length.md › `Content-Length` with zeroes",
      "request/content-length.md › `Content-Length` with follow-up headers",
    ],
    "leading zeros are read as octal by some; no sender needs them",
  ],
  [
    '"PUT /url" did not end',
    [
      "request/content-length.md › Content-Length reset when no body is received",
    ],
    "llhttp is told to skip a body that is announced; a proxy never does",
  ],
  [
    'accepted; llhttp: 8 reason="Invalid method for HTTP/x.x request"',
    [
      "request/invalid.md › HTTP protocol and ANNOUNCE method",
    ],
    "any token is a method (RFC 9110 9.1)",
  ],
  [
    'accepted; llhttp: 6 reason="Expected space after method"',
    [
      "request/invalid.md › Invalid method",
    ],
    "any token is a method (RFC 9110 9.1)",
  ],
  [
    "refused: h1.upgrade_with_body",
    [
      "request/method.md › CONNECT with body",
    ],
    "what follows a CONNECT is the tunnel's; others may see a body there",
  ],
  [
    'read "CONNECT /" for "CONNECT 0-home0.netscape.com:443"',
    [
      "request/method.md › CONNECT request",
    ],
    "the target of a CONNECT is its authority",
  ],
  [
    'read "CONNECT /" for "CONNECT HOME0.NETSCAPE.COM:443"',
    [
      "request/method.md › CONNECT request with CAPS",
    ],
    "the target of a CONNECT is its authority",
  ],
  [
    'read "CONNECT /" for "CONNECT home_0.netscape.com:443"',
    [
      "request/uri.md › Underscore in hostname",
    ],
    "the target of a CONNECT is its authority",
  ],
  [
    "refused: h1.websocket_version",
    [
      "request/connection.md › Parsing multiple tokens › Multiple tokens with folding and LWS",
      "request/connection.md › `upgrade` › Upgrade GET request",
    ],
    "a handshake of WebSocket names version 13 (RFC 6455 4.2.1)",
  ],
  [
    "refused: h1.bad_method",
    [
      "request/method.md › PRI request HTTP2",
    ],
    "PRI is the beginning of HTTP/2 and no method (RFC 9113 3.4)",
  ],
  [
    "refused: h1.bad_target",
    [
      "request/method.md › M-SEARCH request",
      "request/transfer-encoding.md › POST with `chunked` as last transfer-encoding",
      "request/transfer-encoding.md › POST with `chunked` as last transfer-encoding (multiple headers)",
      "request/uri.md › Fragment in URI",
    ],
    "asterisk form is for OPTIONS alone, and a target has no fragment (RFC 9112 3.2)",
  ],
  [
    "refused: h1.bad_request_line",
    [
      "request/method.md › SOURCE request with ICE",
      "request/method.md › OPTIONS request with RTSP",
      "request/method.md › ANNOUNCE request with RTSP",
      "request/sample.md › No HTTP version",
    ],
    "RTSP, ICE and HTTP/0.9 are not spoken here",
  ],
  [
    "refused: h1.bad_host",
    [
      "request/sample.md › curl GET",
      "request/sample.md › Firefox GET",
      "request/uri.md › `host:port` and basic auth",
    ],
    'a Host is letters, digits, "-", ".", "_", "~" and a port, without user information',
  ],
  [
    'read "GET /?hail=all" for "GET http://hypnotoad.org?hail=all"',
    [
      "request/uri.md › Host terminated by a query string",
    ],
    "absolute targets become origin form (RFC 9112 3.2.2)",
  ],
  [
    'read "GET /?hail=all" for "GET http://hypnotoad.org:1234?hail=all"',
    [
      "request/uri.md › `host:port` terminated by a query string",
    ],
    "absolute targets become origin form (RFC 9112 3.2.2)",
  ],
  [
    'read "GET /" for "GET http://hypnotoad.org:1234"',
    [
      "request/uri.md › `host:port` terminated by a space",
    ],
    "absolute targets become origin form (RFC 9112 3.2.2)",
  ],
  [
    "refused: h1.unasked_bytes",
    [
      "response/connection.md › HTTP/1.0 with keep-alive and 204 status",
      "response/connection.md › HTTP/1.1 with 204 status",
      "response/connection.md › HTTP 304 with Content-Length",
      "response/connection.md › HTTP 304 with Transfer-Encoding",
      "response/content-length.md › Content-Length reset when no body is received",
      "response/pipelining.md › Should parse multiple events",
    ],
    "one request has one response: what comes after it belongs to nobody",
  ],
  [
    "accepted, though it is written for a lenient parser",
    [
      "response/connection.md › HTTP/1.1 with keep-alive disabled, content-length (lenient)",
    ],
    "the first response is whole; the connection closes before the data after it is looked at",
  ],
  [
    "refused: h1.unasked_switch",
    [
      "response/connection.md › HTTP 101 response with Upgrade and Content-Length header",
      "response/connection.md › HTTP 101 response with Upgrade and Transfer-Encoding header",
    ],
    "no request asked to switch protocols",
  ],
  [
    "refused: h1.bad_status_line",
    [
      "response/connection.md › HTTP 100 first, then 400",
      "response/sample.md › RTSP response",
      "response/sample.md › ICE response",
      "response/sample.md › HTTP version 0.9",
      "response/sample.md › Response starting with CRLF",
    ],
    "RTSP, ICE, HTTP/0.9 and empty lines before a response are refused",
  ],
  [
    "refused: h1.bad_response",
    [
      "response/transfer-encoding.md › `chunked` before other transfer-encoding",
      "response/transfer-encoding.md › multiple transfer-encoding where chunked is not the last one",
      "response/transfer-encoding.md › `chunkedchunked` transfer-encoding does not enable chunked enconding",
    ],
    'a coding other than exactly "chunked" leaves the end of the body to guessing',
  ],
];
