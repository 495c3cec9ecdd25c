/** Tokens for people and programs: made, listed and revoked by admins. */
import { Hono } from "hono";
import { z } from "zod";
import { ROLES } from "../access/roles.ts";
import {
  ACCESS_TOKEN_LIMITS,
  DEFAULT_ACCESS_TTL_MS,
  TOKEN_NAME,
  TokenRefused,
} from "../access/tokens.ts";
import type { ApiEnv } from "../auth.ts";
import { BODY_LIMITS, readJson } from "./body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError, notFound } from "./errors.ts";

export const accessTokenBody = z.strictObject({
  /** Shows in the history and the audit log. */
  name: z.string().regex(TOKEN_NAME, "wanted lower-case letters, digits, dots and dashes"),
  role: z.enum(ROLES),
  ttlMs: z.int().min(1000).max(ACCESS_TOKEN_LIMITS.ttlMs).optional(),
});

export function accessTokenRoutes({ accessTokens, log }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/access-tokens", async (c) => c.json({ tokens: await accessTokens.list() }));
  app.post("/access-tokens", async (c) => {
    const body = await readJson(c, accessTokenBody, BODY_LIMITS.jsonBytes);
    const { name, role, ttlMs = DEFAULT_ACCESS_TTL_MS } = body;
    const createdBy = c.var.principal.name;
    try {
      const { token, about } = await accessTokens.create({ name, role, ttlMs, createdBy });
      c.set("target", `token ${about.id} "${name}" of role ${role}`);
      log.info("access_token.created", { id: about.id, name, role, by: createdBy });
      return c.json({ token, ...about }, 201);
    } catch (error) {
      if (error instanceof TokenRefused) throw new ApiError(409, error.code, error.message);
      throw error;
    }
  });
  app.delete("/access-tokens/:id", async (c) => {
    const revoked = await accessTokens.revoke(c.req.param("id"));
    if (revoked === null) throw notFound("token of that id or name");
    const { id, name } = revoked;
    c.set("target", `token ${id} "${name}"`);
    log.info("access_token.revoked", { id, name, by: c.var.principal.name });
    return c.json(revoked);
  });
  return app;
}
