/** The proxy's own loopback HTTP: readiness, metrics, what is in force. Read-only. */
import type { Metrics } from "../../core/metrics.ts";
import type { ProxyReport } from "../../control/schema/protocol.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";

export interface AdminView {
  /** Null when ready, else what is missing. */
  notReady(): string | null;
  report(): ProxyReport;
  snapshot(): Snapshot | null;
  readonly metrics: Metrics;
}

export interface AdminServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Answers only to names of this host: a page in a browser must not reach it by DNS rebinding. */
const OWN_NAMES = ["127.0.0.1", "localhost", "[::1]"];

export function startAdmin(host: string, port: number, view: AdminView): AdminServer {
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname: host, port, onListen: () => {} }, (request) => {
      const url = new URL(request.url);
      if (url.hostname !== host && !OWN_NAMES.includes(url.hostname)) {
        return text(403, `The admin port answers to ${OWN_NAMES.join(", ")} only\n`);
      }
      if (request.method !== "GET" && request.method !== "HEAD") {
        return text(405, "The admin port is read-only\n");
      }
      return answer(url.pathname, view);
    });
  } catch (e) {
    if (!(e instanceof Deno.errors.AddrInUse)) throw e;
    throw new Error(
      `Cannot open the admin port on ${host}:${port}: the port is in use. ` +
        "Stop the program that has it, or choose another with --admin (port 0 takes a free one)",
    );
  }
  return { url: `http://${host}:${server.addr.port}`, close: () => server.shutdown() };
}

function answer(path: string, view: AdminView): Response {
  switch (path) {
    case "/livez":
      return text(200, "live\n");
    case "/ready": {
      const missing = view.notReady();
      return missing === null ? text(200, "ready\n") : text(503, `not ready: ${missing}\n`);
    }
    case "/metrics":
      return new Response(view.metrics.render(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    case "/stats":
      return Response.json(view.report());
    case "/config_dump":
      return Response.json(view.snapshot());
    default:
      return text(404, "Try /ready, /livez, /metrics, /stats or /config_dump\n");
  }
}

function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
