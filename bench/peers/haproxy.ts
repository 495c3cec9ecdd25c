/** haproxy as the rival and as the origin: the shortest configuration an expert would defend. */
import { startPinned } from "../process.ts";
import type { Pinned } from "../process.ts";

/**
 * No logs, one thread, times that never bite under load. It wants two files for each connection; where so
 * many are not allowed it starts nevertheless, since idle connections need only one.
 */
export function common(maxConnections = 4096): string {
  return `global
  nbthread 1
  maxconn ${maxConnections}
  no strict-limits
defaults
  mode http
  timeout connect 2s
  timeout client 120s
  timeout server 120s
  timeout http-keep-alive 120s
`;
}

/** One HTTP hop: one thread, connections to the server shared by all clients, no logs, no options that cost. */
export function hopConfig(port: number, originPort: number): string {
  return `${common()}  http-reuse always
frontend hop
  bind 127.0.0.1:${port}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`;
}

/** Answers every request with the same `bytes` bytes, from memory. */
export function originConfig(port: number, bytes: number): string {
  return `${common()}frontend origin
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain string "${"x".repeat(bytes)}"
`;
}

/** The same, but what asks for `longPath` is passed on to `longPort`, one request per connection. */
export function mixedOriginConfig(
  port: number,
  bytes: number,
  longPath: string,
  longPort: number,
): string {
  return `${common()}frontend origin
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain string "${
    "x".repeat(bytes)
  }" unless { path ${longPath} }
  default_backend long
backend long
  option http-server-close
  server long 127.0.0.1:${longPort}
`;
}

export async function startHaproxy(core: number, config: string): Promise<Pinned> {
  const path = await Deno.makeTempFile({ suffix: ".cfg" });
  await Deno.writeTextFile(path, config);
  const haproxy = startPinned(core, ["haproxy", "-db", "-q", "-f", path]);
  return {
    pid: haproxy.pid,
    process: haproxy.process,
    async [Symbol.asyncDispose](): Promise<void> {
      await haproxy[Symbol.asyncDispose]();
      await Deno.remove(path);
    },
  };
}
