/**
 * The pages of the control plane: `/` shows the mesh as it is now, `/filters` the marketplace.
 *
 * ```ts
 * import type { ControlView } from "../view.ts";
 * import { pages } from "./mod.ts";
 *
 * export function handler(view: ControlView): (request: Request) => Response | Promise<Response> {
 *   return pages(view).routes.fetch;
 * }
 * ```
 *
 * @module
 */
import type { AuditLog } from "../audit/log.ts";
import type { ControlView } from "../view.ts";
import { createPages, type Pages } from "./app.tsx";
import { overviewOf } from "./collect.ts";

export interface PageParts {
  readonly audit?: Pick<AuditLog, "recent">;
  /** Whether `/login` leads anywhere. */
  readonly canSignIn?: boolean;
}

/** Entries that `/audit` shows. */
const AUDIT_ROWS = 100;

/** Routes `/`, `/filters`, `/filters/:publisher/:name`, `/audit` and `/assets/*` over a running control plane. */
export function pages(view: ControlView, { audit, canSignIn = false }: PageParts = {}): Pages {
  return createPages({
    overview: () => overviewOf(view),
    listings: () => view.listings(),
    versions: (name) => view.versions(name),
    bindings: (name) =>
      view.resources().filter((one) => one.kind === "FilterBinding")
        .filter((one) => one.spec.module.name === name),
    audit: async () => await audit?.recent({ limit: AUDIT_ROWS }) ?? [],
    canSignIn,
    trustDomain: view.trustDomain,
    nowMs: () => view.nowMs(),
  });
}
