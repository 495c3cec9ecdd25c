/** Reading resources: all, of one kind, or one. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import { findKind, KINDS, type Resource } from "../schema/kinds.ts";
import { nearest } from "../schema/problems.ts";
import {
  isRoute,
  Mesh,
  type PolicyCounts,
  type PolicyStatus,
  policyStatus,
  type RouteStatus,
  routeStatus,
} from "../snapshot/mod.ts";
import type { ControlView } from "../view.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError, notFound } from "./errors.ts";

export function resourceRoutes({ ledger, view }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/resources", (c) => {
    const all = ledger.resources();
    return c.json({ revision: ledger.head, resources: withStatus(all, all, view) });
  });
  app.get("/resources/:kind", (c) => {
    const kind = kindOf(c.req.param("kind"));
    const namespace = c.req.query("namespace");
    const all = ledger.resources();
    const resources = all.filter((one) =>
      one.kind === kind && (namespace === undefined || one.metadata.namespace === namespace)
    );
    return c.json({ revision: ledger.head, resources: withStatus(resources, all, view) });
  });
  app.get("/resources/:kind/:namespace/:name", (c) => {
    const { kind: noun, namespace, name } = c.req.param();
    const kind = kindOf(noun);
    const found = ledger.state.get(`${kind} ${namespace}/${name}`);
    if (found === undefined) throw notFound(`${kind} "${namespace}/${name}"`);
    return c.json(withStatus([found], ledger.resources(), view)[0]);
  });
  return app;
}

/** Routes and policies say what became of them; an apply passes over it when they come back. */
function withStatus(
  some: readonly Resource[],
  all: readonly Resource[],
  view: ControlView,
): (Resource & { readonly status?: RouteStatus | PolicyStatus })[] {
  if (!some.some((one) => isRoute(one) || one.kind === "AuthorizationPolicy")) return [...some];
  const mesh = new Mesh(all);
  const counts = countsByPolicy(view);
  return some.map((one) => {
    if (isRoute(one)) return { ...one, status: routeStatus(mesh, one) };
    if (one.kind !== "AuthorizationPolicy") return one;
    const { namespace, name } = one.metadata;
    return {
      ...one,
      status: policyStatus(mesh, one, counts.get(`${namespace}/${name}`) ?? NOTHING),
    };
  });
}

const NOTHING: PolicyCounts = { refused: 0, audited: 0, wouldRefuse: 0, wouldAllow: 0 };

/** What all proxies that are there have counted. */
function countsByPolicy(view: ControlView): Map<string, PolicyCounts> {
  const counts = new Map<string, PolicyCounts>();
  for (const { report } of view.proxies()) {
    for (const { name, ...more } of report?.policies ?? []) {
      const sum = counts.get(name) ?? NOTHING;
      counts.set(name, {
        refused: sum.refused + more.refused,
        audited: sum.audited + more.audited,
        wouldRefuse: sum.wouldRefuse + more.wouldRefuse,
        wouldAllow: sum.wouldAllow + more.wouldAllow,
      });
    }
  }
  return counts;
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
