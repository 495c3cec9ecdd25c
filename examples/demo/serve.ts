/** What the three demo apps share: listen where PORT says, answer JSON, stop on SIGTERM. */

export interface App {
  readonly name: string;
  readonly answer: (request: Request, url: URL) => Response | Promise<Response>;
}

/** Headers an ordinary app hands on, so that routes and traces follow one request through all services. */
const HANDED_ON: readonly string[] = [
  "x-version",
  "x-demo-delay-ms",
  "x-request-id",
  "traceparent",
  "tracestate",
];

/** Serves `app` on `HOST:PORT` (default: a free port of the loopback) and prints one line when it listens. */
export function serve(app: App): Deno.HttpServer<Deno.NetAddr> {
  const server = Deno.serve({
    hostname: Deno.env.get("HOST") ?? "127.0.0.1",
    port: Number(Deno.env.get("PORT") ?? "0"),
    onListen: ({ hostname, port }) =>
      console.log(JSON.stringify({ ready: true, app: app.name, address: `${hostname}:${port}` })),
  }, async (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/healthz") return new Response("ok\n");
    try {
      return await app.answer(request, url);
    } catch (problem) {
      return json(502, { service: app.name, error: String(problem) });
    }
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => server.shutdown().then(() => Deno.exit(0)));
  }
  return server;
}

export function json(status: number, body: unknown): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store" } });
}

/** Calls another service with the headers of `request` that belong to the whole call graph. */
export async function call(request: Request, url: string): Promise<Response> {
  const headers = new Headers();
  for (const name of HANDED_ON) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return await fetch(url, { headers, signal: request.signal });
}

export function required(name: string): string {
  const value = Deno.env.get(name);
  if (value === undefined || value === "") {
    console.error(`Set ${name}, e.g. ${name}=http://catalog`);
    Deno.exit(2);
  }
  return value;
}
