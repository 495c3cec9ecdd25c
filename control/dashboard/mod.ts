/**
 * The pages of the control plane: `/` shows the mesh as it is now, `/filters` the marketplace.
 *
 * ```ts
 * import type { ControlView } from "../view.ts";
 * import { pages } from "./mod.ts";
 *
 * export function handler(view: ControlView): (request: Request) => Response | Promise<Response> {
 *   return pages(view).fetch;
 * }
 * ```
 *
 * @module
 */
import type { Hono } from "hono";
import type { ControlView } from "../view.ts";
import { createPages } from "./app.tsx";
import { overviewOf } from "./collect.ts";

/** Routes `/`, `/filters`, `/filters/:publisher/:name` and `/assets/*` over a running control plane. */
export function pages(view: ControlView): Hono {
  return createPages({
    overview: () => overviewOf(view),
    listings: () => view.listings(),
    versions: (name) => view.versions(name),
    trustDomain: view.trustDomain,
    nowMs: () => view.nowMs(),
  });
}
