/** For supervisors: alive, and ready to serve proxies and people. */
import { Hono } from "hono";

/** The server opens its port when everything behind it is open, so answering at all is being ready. */
export function healthRoutes(): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.text("alive\n"));
  app.get("/readyz", (c) => c.text("ready\n"));
  return app;
}
