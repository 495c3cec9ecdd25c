/** The proxy's own HTTP: readiness, metrics, what is in force. */
import type { Metrics } from "../../core/metrics.ts";
import { redact } from "../../core/redact.ts";
import type { ProxyReport } from "../../control/schema/protocol.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import type { AdminPlace } from "../options.ts";
import { type AdminDoor, openDoor, text } from "./door.ts";

export interface AdminView {
  /** Null when ready, else what is missing. */
  notReady(): string | null;
  report(): ProxyReport;
  snapshot(): Snapshot | null;
  readonly metrics: Metrics;
}

export function startAdmin(place: AdminPlace, view: AdminView): AdminDoor {
  return openDoor(place, ({ path }) => answer(path, view));
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
      return json(view.report());
    case "/config_dump":
      return json(view.snapshot());
    default:
      return text(404, "Try /ready, /livez, /metrics, /stats or /config_dump\n");
  }
}

/** A header that a route sets may hold a token, and the text of a trap whatever a filter put there. */
function json(value: unknown): Response {
  const body = redact(JSON.stringify(value));
  return new Response(body, { headers: { "content-type": "application/json" } });
}
