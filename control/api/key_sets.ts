/** Key sets of issuers as they were fetched, and what the control plane counts. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import type { ApiDeps } from "./deps.ts";

export function keySetRoutes({ keySets }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/key-sets", (c) => c.json({ keySets: keySets.list() }));
  return app;
}

export function metricsRoutes({ metrics }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/metrics", (c) => {
    c.header("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return c.body(metrics.render());
  });
  return app;
}
