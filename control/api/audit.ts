/** The audit log, for admins. */
import { Hono } from "hono";
import { AUDIT_LIMITS } from "../audit/log.ts";
import type { ApiEnv } from "../auth.ts";
import type { ApiDeps } from "./deps.ts";
import { badValue } from "./errors.ts";
import { limitOf } from "./query.ts";

export function auditRoutes({ audit }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/audit", async (c) => {
    const limit = limitOf(c.req.query("limit"), AUDIT_LIMITS.recent);
    const result = c.req.query("result");
    if (result !== undefined && result !== "done" && result !== "refused" && result !== "failed") {
      throw badValue("result", `is "${result}"; wanted done, refused or failed`);
    }
    return c.json({ entries: await audit.recent({ limit, result }) });
  });
  return app;
}
