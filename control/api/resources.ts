/** Reading resources: all, of one kind, or one. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import { findKind, KINDS, type Resource } from "../schema/kinds.ts";
import { nearest } from "../schema/problems.ts";
import { isRoute, Mesh, type RouteStatus, routeStatus } from "../snapshot/mod.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError, notFound } from "./errors.ts";

export function resourceRoutes({ ledger }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/resources", (c) => {
    const all = ledger.resources();
    return c.json({ revision: ledger.head, resources: withStatus(all, all) });
  });
  app.get("/resources/:kind", (c) => {
    const kind = kindOf(c.req.param("kind"));
    const namespace = c.req.query("namespace");
    const all = ledger.resources();
    const resources = all.filter((one) =>
      one.kind === kind && (namespace === undefined || one.metadata.namespace === namespace)
    );
    return c.json({ revision: ledger.head, resources: withStatus(resources, all) });
  });
  app.get("/resources/:kind/:namespace/:name", (c) => {
    const { kind: noun, namespace, name } = c.req.param();
    const kind = kindOf(noun);
    const found = ledger.state.get(`${kind} ${namespace}/${name}`);
    if (found === undefined) throw notFound(`${kind} "${namespace}/${name}"`);
    return c.json(withStatus([found], ledger.resources())[0]);
  });
  return app;
}

/** Routes say what became of them at their parents; an apply passes over it when they come back. */
function withStatus(
  some: readonly Resource[],
  all: readonly Resource[],
): (Resource & { readonly status?: RouteStatus })[] {
  if (!some.some(isRoute)) return [...some];
  const mesh = new Mesh(all);
  return some.map((one) => isRoute(one) ? { ...one, status: routeStatus(mesh, one) } : one);
}

function kindOf(noun: string): Resource["kind"] {
  const row = findKind(noun);
  if (row !== null) return row.kind;
  const names = KINDS.flatMap((one) => [one.kind, one.plural]);
  const near = nearest(noun, names);
  throw new ApiError(
    404,
    "unknown_kind",
    `There is no kind "${noun}"${near === null ? "" : `; did you mean ${near}?`} ` +
      `Kinds: ${KINDS.map((one) => one.plural).join(", ")}`,
  );
}
