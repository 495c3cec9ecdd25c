/**
 * HTTP/1.1, server and client: bytes in, events out, no I/O and no clock (RFC 9110, RFC 9112).
 *
 * Strict where parsers are known to differ, because what one reads as a body another reads as a
 * request: every rule has its row in `tests/conformance/h1/cases.ts`. `server.ts` and `client.ts` hold
 * the state machines; below them `parser.ts` finds a head's parts, `request.ts` and `response.ts` give
 * them meaning, `framing.ts` cuts bodies, `writer.ts` writes messages. Leniency is not an option.
 *
 * After `wire.end()` the server goes on swallowing a bounded rest of the input, so that a client that
 * is still sending can read its answer; the wire should half-close there and keep reading.
 *
 * @module
 */
export { H1Client, type H1ClientOptions } from "./client.ts";
export { H1_LIMITS, type H1Limits } from "./limits.ts";
export { H1Server, type H1ServerOptions } from "./server.ts";
