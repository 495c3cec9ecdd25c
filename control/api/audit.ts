/** The audit log, for admins. */
import { Hono } from "hono";
import { AUDIT_LIMITS } from "../audit/log.ts";
import type { ApiEnv } from "../auth.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError } from "./errors.ts";

export function auditRoutes({ audit }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/audit", async (c) => {
    const limit = c.req.query("limit") ?? "100", result = c.req.query("result");
    if (!/^\d{1,4}$/.test(limit) || Number(limit) > AUDIT_LIMITS.recent) {
      const most = AUDIT_LIMITS.recent;
      throw bad("limit", `is "${limit}"; wanted a whole number up to ${most}`);
    }
    if (result !== undefined && result !== "done" && result !== "refused" && result !== "failed") {
      throw bad("result", `is "${result}"; wanted done, refused or failed`);
    }
    return c.json({ entries: await audit.recent({ limit: Number(limit), result }) });
  });
  return app;
}

function bad(path: string, message: string): ApiError {
  return new ApiError(400, "bad_request", `${path} ${message}`, [{ path, message }]);
}
