/** The API's description against the routes that are really there. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { KINDS } from "../schema/kinds.ts";
import { API_ROUTES } from "../app.ts";
import type { ApiEnv } from "../auth.ts";
import type { ApiDeps } from "./deps.ts";
import { openApiRoutes, OPERATIONS } from "./openapi.ts";
import { templateOf } from "./rules.ts";

// Registering routes only takes the parts apart; none is used before a request comes.
const NO_DEPS = {} as ApiDeps;

Deno.test("OpenAPI describes every route and no other", () => {
  const app = new Hono<ApiEnv>();
  for (const routes of API_ROUTES) app.route("/", routes(NO_DEPS));
  const there = app.routes.map(({ method, path }) => `${method} ${templateOf(path)}`).sort();
  const described = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort();
  assert.deepEqual(described, there);
});

Deno.test("docs/access.md names every call that is not for every viewer, and its role", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/access.md", import.meta.url));
  const told = [...page.matchAll(/^\| `([A-Z]+ \/\S*)` +\| `(\w+)` +\|$/gm)]
    .map(([, call, role]) => `${call} ${role}`);
  const narrower = OPERATIONS.filter(({ role }) => role !== "viewer")
    .map(({ method, path, role }) => `${method.toUpperCase()} ${path} ${role}`);
  assert.deepEqual(told.sort(), narrower.sort());
});

Deno.test("OpenAPI holds a schema for every kind, and names what each body wants", async () => {
  const app = openApiRoutes(NO_DEPS);
  const document = await (await app.request("/openapi.json")).json();
  for (const { kind } of KINDS) {
    assert.equal(document.components.schemas[kind].type, "object", kind);
  }
  const apply = document.paths["/apply"].post;
  assert.ok("documents" in apply.requestBody.content["application/json"].schema.properties);
  assert.deepEqual(apply.security, [{ token: [] }]);
  assert.deepEqual(apply["x-denim-roles"], ["operator", "admin"]);
  assert.equal(document.paths["/resources"].get.security, undefined);
  const names = document.paths["/resources/{kind}/{namespace}/{name}"].get.parameters;
  assert.deepEqual(names.map((one: { name: string }) => one.name), ["kind", "namespace", "name"]);
});
