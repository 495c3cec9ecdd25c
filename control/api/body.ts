/** Request bodies: bounded while they are read, and checked before anything looks at them. */
import type { Context } from "hono";
import type { z } from "zod";
import { collect } from "../bytes.ts";
import { check } from "../schema/problems.ts";
import { ApiError } from "./errors.ts";

export const BODY_LIMITS = {
  /** An apply: somewhat more than the documents it may hold, for JSON's escapes. */
  applyBytes: 8 * 1024 * 1024,
  jsonBytes: 64 * 1024,
  /** An upload of a filter with its manifest. */
  filterBytes: 40 * 1024 * 1024,
} as const;

/** The whole body; refuses with 413 what is longer, without having read it all. */
export async function readBytes(c: Context, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(c.req.header("content-length") ?? 0);
  if (declared > limit) throw tooLarge(limit);
  const whole = await collect(c.req.raw.body ?? [], limit);
  if (whole === null) throw tooLarge(limit);
  return whole;
}

/** A JSON body of a known form. */
export async function readJson<T>(c: Context, schema: z.ZodType<T>, limit: number): Promise<T> {
  const bytes = await readBytes(c, limit);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ApiError(400, "bad_json", `The body is not JSON: ${reason}`);
  }
  const result = check(schema, value);
  if (result.ok) return result.value;
  throw new ApiError(400, "bad_request", "The body is not what this call wants", result.problems);
}

function tooLarge(limit: number): ApiError {
  return new ApiError(413, "too_large", `The body is larger than ${limit} bytes`);
}
