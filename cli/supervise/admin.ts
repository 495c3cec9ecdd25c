/** The admin address of a supervised proxy: one page for all workers, there also while one restarts. */
import { Metrics } from "../../core/metrics.ts";
import type { Bind } from "../../proxy/options.ts";
import { mergeMetrics, type Page } from "./merge_metrics.ts";

export interface AdminSource {
  readonly metrics: Metrics;
  /** The workers that serve, by number. */
  workers(): ReadonlyMap<number, ServingWorker>;
}

export interface ServingWorker {
  readonly pid: number;
  /** `http://host:port` of its own admin page. */
  readonly admin: string;
}

export interface SupervisorAdmin {
  readonly url: string;
  close(): Promise<void>;
}

const WORKER_TIMEOUT_MS = 2000;
const OWN_NAMES = ["127.0.0.1", "localhost", "[::1]"];

export function startSupervisorAdmin(bind: Bind, source: AdminSource): SupervisorAdmin {
  const { host, port } = bind;
  const server = Deno.serve({ hostname: host, port, onListen: () => {} }, async (request) => {
    const { hostname, pathname } = new URL(request.url);
    if (hostname !== host && !OWN_NAMES.includes(hostname)) {
      return text(403, `The admin port answers to ${OWN_NAMES.join(", ")} only\n`);
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return text(405, "The admin port is read-only\n");
    }
    return await answer(pathname, source);
  });
  return { url: `http://${host}:${server.addr.port}`, close: () => server.shutdown() };
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

async function ask(url: string, path: string): Promise<Response | null> {
  try {
    return await fetch(url + path, { signal: AbortSignal.timeout(WORKER_TIMEOUT_MS) });
  } catch {
    return null; // it has just died
  }
}

function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
