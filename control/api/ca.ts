/** The trust domain's authority, for `denim ca`. */
import { Hono } from "hono";
import { describeAuthority } from "../ca/mod.ts";
import type { ApiDeps } from "./deps.ts";

export function authorityRoutes({ authority }: ApiDeps): Hono {
  const app = new Hono();
  app.get("/ca", async (c) => c.json(await describeAuthority(authority)));
  return app;
}
