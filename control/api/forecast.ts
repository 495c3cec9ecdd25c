/** What will have expired by some moment, and whether it is renewed by itself until then. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import { forecast } from "../forecast.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError } from "./errors.ts";

export function forecastRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/forecast", async (c) => {
    const at = c.req.query("at") ?? "";
    const atMs = Date.parse(at);
    if (Number.isNaN(atMs)) {
      throw new ApiError(
        400,
        "bad_request",
        `at is "${at}"; wanted a time such as 2030-01-31T00:00:00Z`,
      );
    }
    return c.json(await forecast(deps, atMs));
  });
  return app;
}
