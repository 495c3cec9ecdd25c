/** The trust domain's authority, for `denim ca`. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import { describeAuthority } from "../ca/mod.ts";
import type { ApiDeps } from "./deps.ts";

export function authorityRoutes({ authority }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/ca", async (c) => c.json(await describeAuthority(authority)));
  return app;
}
