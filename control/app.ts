/** The HTTP side of the control plane: what is mounted where, and nothing else. */
import { Hono } from "hono";
import { applyRoutes } from "./api/apply.ts";
import { authorityRoutes } from "./api/ca.ts";
import type { ApiDeps } from "./api/deps.ts";
import { ApiError, toResponse } from "./api/errors.ts";
import { filterRoutes } from "./api/filters.ts";
import { healthRoutes } from "./api/health.ts";
import { openApiRoutes } from "./api/openapi.ts";
import { proxyRoutes } from "./api/proxies.ts";
import { resourceRoutes } from "./api/resources.ts";
import { revisionRoutes } from "./api/revisions.ts";
import { tokenRoutes } from "./api/tokens.ts";
import { type ApiEnv, auth, type AuthOptions } from "./auth.ts";
import { pages } from "./dashboard/mod.ts";

export const API_PREFIX = "/api/v1";

export function createApp(deps: ApiDeps, options: AuthOptions): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => toResponse(c, error, deps.log));
  app.use(auth(options));
  app.route("/", healthRoutes());
  for (
    const routes of [
      applyRoutes,
      resourceRoutes,
      revisionRoutes,
      proxyRoutes,
      filterRoutes,
      tokenRoutes,
      authorityRoutes,
      openApiRoutes,
    ]
  ) {
    app.route(API_PREFIX, routes(deps));
  }
  app.all(`${API_PREFIX}/*`, (c) => {
    throw new ApiError(
      404,
      "not_found",
      `There is no ${c.req.method} ${c.req.path}; ${API_PREFIX}/openapi.json lists what there is`,
    );
  });
  app.route("/", pages(deps.view));
  return app;
}
