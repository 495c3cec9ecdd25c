/** Every error of the API has one form: `{"error": {"code", "message", "details": [{"path", "message"}]}}`. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Log } from "../../core/log.ts";
import { redact } from "../../core/redact.ts";
import { RevocationsFullError } from "../ca/mod.ts";
import { MarketError } from "../market/mod.ts";
import { VaultFullError } from "../store/vault.ts";
import { LedgerFullError } from "../store/ledger.ts";
import { ConflictError, StoreError } from "../store/store.ts";

export interface ErrorDetail {
  readonly path: string;
  readonly message: string;
  /** `HTTPRoute default/web`, where the error is about one of several resources. */
  readonly resource?: string;
  /** Its place in what was sent, counted from 0. */
  readonly document?: number;
}

/** An answer that is an error on purpose. */
export class ApiError extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: string;
  readonly details: readonly ErrorDetail[];

  constructor(
    status: ContentfulStatusCode,
    code: string,
    message: string,
    details: readonly ErrorDetail[] = [],
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export function notFound(what: string): ApiError {
  return new ApiError(404, "not_found", `There is no ${what}`);
}

/** What stands at `path` of a request is not what was wanted; `message` goes on after it. */
export function badValue(path: string, message: string): ApiError {
  return new ApiError(400, "bad_request", `${path} ${message}`, [{ path, message }]);
}

/** The one place where a failed request becomes an answer. */
export function toResponse(c: Context, error: Error, log: Log): Response {
  const told = toApiError(c, error, log);
  if (told.status === 401) c.header("www-authenticate", 'Bearer realm="denim"');
  return body(c, told);
}

/** What may be told of an error; the rest goes to the log. */
export function toApiError(c: Context, error: Error, log: Log): ApiError {
  const known = knownError(error);
  if (known !== null) return known;
  log.error("api.failed", { path: c.req.path, reason: error.stack ?? error.message });
  return new ApiError(500, "internal", "The control plane failed; its log says why");
}

function knownError(error: Error): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof MarketError) {
    const { status, code, message, details } = error;
    return new ApiError(status as ContentfulStatusCode, code, message, details);
  }
  if (
    error instanceof LedgerFullError || error instanceof VaultFullError ||
    error instanceof RevocationsFullError
  ) {
    return new ApiError(422, "too_large", error.message);
  }
  if (error instanceof StoreError) return new ApiError(503, "store_unavailable", error.message);
  if (error instanceof ConflictError) {
    return new ApiError(409, "conflict", "Somebody else changed the mesh meanwhile; try again");
  }
  return null;
}

function body(c: Context, { status, code, message, details }: ApiError): Response {
  // Messages quote what was sent, and people paste them into tickets.
  return c.text(redact(JSON.stringify({ error: { code, message, details } })), status, {
    "content-type": "application/json",
  });
}
