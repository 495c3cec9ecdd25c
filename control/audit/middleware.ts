/** Writes the audit log for the API and the pages: every change, and whatever is refused. */
import type { MiddlewareHandler } from "hono";
import { ApiError } from "../api/errors.ts";
import { ruleOf } from "../api/rules.ts";
import { type ApiEnv, isRead } from "../auth.ts";
import type { AuditLog, AuditRecord } from "./log.ts";

/** Around everything else, so that it sees how each request ended. */
export function audited(audit: Pick<AuditLog, "record">): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const result = resultOf(c.res.status);
    if (isRead(c) && result !== "refused") return;
    // The roles are found out before anything can be refused for want of them, a foreign name even earlier.
    const principal = c.var.principal as ApiEnv["Variables"]["principal"] | undefined;
    audit.record({
      who: principal?.name ?? "unknown",
      proof: principal?.proof ?? "none",
      from: c.env.remoteAddress,
      what: ruleOf(c).name,
      target: c.var.target ?? "",
      result,
      code: c.error instanceof ApiError ? c.error.code : c.error === undefined ? "" : "error",
    });
  };
}

/** Behind the question who is calling: what could not be accounted for is not done. */
export function accountable(audit: Pick<AuditLog, "isWritable">): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!isRead(c) && !audit.isWritable()) {
      throw new ApiError(
        503,
        "audit_unavailable",
        "Nothing is changed while the audit log cannot be written; see DATA/audit and the log",
      );
    }
    await next();
  };
}

function resultOf(status: number): AuditRecord["result"] {
  if (status === 401 || status === 403) return "refused";
  return status < 400 ? "done" : "failed";
}
