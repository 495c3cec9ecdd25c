/** Which role a request needs: read off the route that will answer it, so that nothing is matched twice. */
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import type { Role } from "../access/roles.ts";
import { OPERATIONS } from "./openapi.ts";

export const API_PREFIX = "/api/v1";

export interface Rule {
  /** `POST /apply`; for the audit log. */
  readonly name: string;
  /** The least role; "anyone" also for who says nothing of himself. */
  readonly role: Role | "anyone";
}

/** Routes that are not of the API. */
const OTHERS: Readonly<Record<string, Rule["role"]>> = {
  // Asked by supervisors, which have no token.
  "GET /healthz": "anyone",
  "GET /readyz": "anyone",
  "GET /login": "anyone",
  "GET /login/callback": "anyone",
  "GET /login/out": "anyone",
  "POST /logout": "anyone",
  "GET /metrics": "viewer",
  "GET /": "viewer",
  "GET /audit": "admin",
  "GET /filters": "viewer",
  "GET /filters/{publisher}/{name}": "viewer",
  "GET /assets/{file}": "anyone",
};

const RULES: ReadonlyMap<string, Rule> = new Map([
  ...OPERATIONS.map(({ method, path, role }): [string, Rule] => {
    const verb = method.toUpperCase();
    return [`${verb} ${API_PREFIX}${path}`, { name: `${verb} ${path}`, role }];
  }),
  ...Object.entries(OTHERS).map(([name, role]): [string, Rule] => [name, { name, role }]),
]);

/** A route that nobody gave a role is for admins; viewers are told when there is nothing at all. */
export function ruleOf(c: Context): Rule {
  const method = c.req.method === "HEAD" ? "GET" : c.req.method;
  // Middleware and the "there is nothing here" of the API stand for every method.
  const route = matchedRoutes(c).find((one) => one.method !== "ALL");
  const name = `${method} ${route === undefined ? "?" : templateOf(route.path)}`;
  const isNothing = route === undefined && method === "GET";
  return RULES.get(name) ?? { name, role: isNothing ? "viewer" : "admin" };
}

/** `/a/:b{regex}/c` as `/a/{b}/c`, and every asset as one. */
export function templateOf(path: string): string {
  return path.startsWith("/assets/")
    ? "/assets/{file}"
    : path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}");
}
