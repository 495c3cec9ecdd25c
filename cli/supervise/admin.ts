/** The admin address of a supervised proxy: one page for all workers, there also while one restarts. */
import { Metrics } from "../../core/metrics.ts";
import { type AdminDoor, openDoor, text } from "../../proxy/admin/door.ts";
import type { AdminPlace } from "../../proxy/options.ts";
import { mergeMetrics, type Page } from "./merge_metrics.ts";

export interface AdminSource {
  readonly metrics: Metrics;
  /** The workers that serve, by number. */
  workers(): ReadonlyMap<number, ServingWorker>;
}

export interface ServingWorker {
  readonly pid: number;
  /** `http://host:port` or `unix:/path` of its own admin page. */
  readonly admin: string;
}

const WORKER_TIMEOUT_MS = 2000;

export function startSupervisorAdmin(place: AdminPlace, source: AdminSource): AdminDoor {
  return openDoor(place, ({ path }) => answer(path, source));
}

async function answer(path: string, source: AdminSource): Promise<Response> {
  if (path === "/livez") return text(200, "live\n");
  if (path === "/workers") {
    const serving = [...source.workers()].map(([worker, { pid, admin }]) => ({
      worker,
      pid,
      admin,
    }));
    return Response.json({ workers: serving });
  }
  if (path === "/metrics") {
    const merged = source.metrics.render() + mergeMetrics(await pages(source));
    return new Response(merged, {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  }
  // Any worker can tell: all have the same configuration. The first that is ready is asked.
  let last = text(503, "not ready: no worker serves\n");
  for (const { admin } of source.workers().values()) {
    const told = await ask(admin, path);
    if (told === null) continue;
    last = new Response(told.body, { status: told.status, headers: told.headers });
    if (told.ok) break;
  }
  return last;
}

async function pages(source: AdminSource): Promise<Page[]> {
  const found = await Promise.all([...source.workers()].map(async ([worker, { admin }]) => {
    const told = await ask(admin, "/metrics");
    return told === null ? null : { worker, text: await told.text() };
  }));
  return found.filter((page) => page !== null);
}

/** Whole, so that nothing stays open. */
async function ask(url: string, path: string): Promise<Response | null> {
  const socket = url.startsWith("unix:") ? url.slice("unix:".length) : null;
  using client = socket === null
    ? undefined
    : Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  try {
    const told = await fetch(`${socket === null ? url : "http://localhost"}${path}`, {
      signal: AbortSignal.timeout(WORKER_TIMEOUT_MS),
      ...(client === undefined ? {} : { client }),
    });
    const { status, headers } = told;
    return new Response(await told.bytes(), { status, headers });
  } catch {
    return null; // it has just died
  }
}
