/** The API's description against the routes that are really there. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { KINDS } from "../schema/kinds.ts";
import { applyRoutes } from "./apply.ts";
import { authorityRoutes } from "./ca.ts";
import type { ApiDeps } from "./deps.ts";
import { filterRoutes } from "./filters.ts";
import { openApiRoutes, OPERATIONS } from "./openapi.ts";
import { proxyRoutes } from "./proxies.ts";
import { resourceRoutes } from "./resources.ts";
import { revisionRoutes } from "./revisions.ts";
import { tokenRoutes } from "./tokens.ts";

// Registering routes only takes the parts apart; none is used before a request comes.
const NO_DEPS = {} as ApiDeps;

Deno.test("OpenAPI describes every route and no other", () => {
  const app = new Hono();
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
  ) app.route("/", routes(NO_DEPS));
  const there = app.routes.map(({ method, path }) => `${method} ${curly(path)}`).sort();
  const described = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort();
  assert.deepEqual(described, there);
});

/** `/a/:b{regex}/c` as `/a/{b}/c`. */
function curly(path: string): string {
  return path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}");
}

Deno.test("OpenAPI holds a schema for every kind, and names what each body wants", async () => {
  const app = openApiRoutes(NO_DEPS);
  const document = await (await app.request("/openapi.json")).json();
  for (const { kind } of KINDS) {
    assert.equal(document.components.schemas[kind].type, "object", kind);
  }
  const apply = document.paths["/apply"].post;
  assert.ok("documents" in apply.requestBody.content["application/json"].schema.properties);
  assert.deepEqual(apply.security, [{ admin: [] }]);
  assert.equal(document.paths["/resources"].get.security, undefined);
  const names = document.paths["/resources/{kind}/{namespace}/{name}"].get.parameters;
  assert.deepEqual(names.map((one: { name: string }) => one.name), ["kind", "namespace", "name"]);
});
