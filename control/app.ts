/** The HTTP side of the control plane: what is mounted where, and nothing else. */
import { Hono } from "hono";
import { accessTokenRoutes } from "./api/access_tokens.ts";
import { applyRoutes } from "./api/apply.ts";
import { auditRoutes } from "./api/audit.ts";
import { authorityRoutes } from "./api/ca.ts";
import type { ApiDeps } from "./api/deps.ts";
import { ApiError, toResponse } from "./api/errors.ts";
import { filterRoutes } from "./api/filters.ts";
import { forecastRoutes } from "./api/forecast.ts";
import { healthRoutes } from "./api/health.ts";
import { keySetRoutes, metricsRoutes } from "./api/key_sets.ts";
import { openApiRoutes } from "./api/openapi.ts";
import { proxyRoutes } from "./api/proxies.ts";
import { resourceRoutes } from "./api/resources.ts";
import { revocationRoutes } from "./api/revocations.ts";
import { revisionRoutes } from "./api/revisions.ts";
import { rotationRoutes } from "./api/rotation.ts";
import { tokenRoutes } from "./api/tokens.ts";
import { API_PREFIX } from "./api/rules.ts";
import { accountable, audited } from "./audit/middleware.ts";
import { type ApiEnv, auth, type AuthOptions, wantsPage } from "./auth.ts";
import { pages } from "./dashboard/mod.ts";

/** Every group of calls; which role may do what stands in `api/openapi.ts`. */
export const API_ROUTES: readonly ((deps: ApiDeps) => Hono<ApiEnv>)[] = [
  applyRoutes,
  resourceRoutes,
  revisionRoutes,
  proxyRoutes,
  filterRoutes,
  tokenRoutes,
  accessTokenRoutes,
  auditRoutes,
  authorityRoutes,
  keySetRoutes,
  revocationRoutes,
  rotationRoutes,
  forecastRoutes,
  openApiRoutes,
];

export function createApp(deps: ApiDeps, options: AuthOptions): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  const browser = options.oidc?.browser ?? null;
  const shown = pages(deps.view, { audit: deps.audit, canSignIn: browser !== null });
  app.onError((error, c) => {
    const isPage = !c.req.path.startsWith(`${API_PREFIX}/`) && wantsPage(c);
    return isPage ? shown.problem(c, error, deps.log) : toResponse(c, error, deps.log);
  });
  app.use(audited(deps.audit), auth(options), accountable(deps.audit));
  app.route("/", healthRoutes());
  app.route("/", metricsRoutes(deps));
  for (const routes of API_ROUTES) app.route(API_PREFIX, routes(deps));
  app.all(`${API_PREFIX}/*`, (c) => {
    throw new ApiError(
      404,
      "not_found",
      `There is no ${c.req.method} ${c.req.path}; ${API_PREFIX}/openapi.json lists what there is`,
    );
  });
  if (browser !== null) app.route("/", browser.routes());
  app.route("/", shown.routes);
  return app;
}
