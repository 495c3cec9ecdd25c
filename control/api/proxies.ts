/** The mesh as it runs: proxies, services, filters in proxies, and whether a revision has arrived everywhere. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import type { ProxyNode } from "../push/nodes.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError } from "./errors.ts";

export interface Convergence {
  /** Every connected proxy has what the revision means for it in force. */
  readonly converged: boolean;
  readonly revision: number;
  /** Newest revision that has been computed for and offered to all of them. */
  readonly published: number;
  readonly proxies: number;
  readonly waiting: readonly ProxyRef[];
  readonly refused: readonly (ProxyRef & { readonly reason: string })[];
}

export interface ProxyRef {
  readonly id: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export function proxyRoutes({ view, nodes, publisher, ledger }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/proxies", (c) => {
    // Samples are for the pages' rates; who wants rates here asks twice.
    const proxies = view.proxies().map(({ samples: _samples, report, ...rest }) => {
      // Traps hold what clients sent: they are asked for by a route of their own.
      const { traps: _traps, ...told } = report ?? { traps: [] };
      return { ...rest, report: report === null ? null : told, acked: rest.state === "in force" };
    });
    return c.json({ proxies });
  });
  app.get("/services", (c) => c.json({ services: view.services() }));
  app.get("/bindings", (c) => c.json({ bindings: view.filters() }));
  app.get("/traps", (c) => {
    const binding = c.req.query("binding");
    const traps = view.proxies().flatMap(({ node, report }) =>
      (report?.traps ?? []).map((trap) => ({ proxy: `${node.namespace}/${node.name}`, trap }))
    ).filter(({ trap }) => binding === undefined || trap.filter === binding);
    return c.json({ traps: traps.sort((a, b) => a.trap.atMs - b.trap.atMs) });
  });
  app.get("/converged", (c) => {
    const asked = c.req.query("revision") ?? String(ledger.head);
    if (!/^\d{1,12}$/.test(asked)) {
      throw new ApiError(400, "bad_request", `revision is "${asked}"; wanted a whole number`);
    }
    return c.json(converge(nodes.connected(), publisher.published, Number(asked)));
  });
  return app;
}

function converge(
  connected: readonly ProxyNode[],
  published: number,
  revision: number,
): Convergence {
  const behind = published < revision
    ? connected
    : connected.filter(({ link }) => !link.delivery.isInForce);
  const refused = behind.filter((node) => node.state === "refused");
  const waiting = behind.filter((node) => node.state !== "refused");
  return {
    converged: behind.length === 0 && published >= revision,
    revision,
    published,
    proxies: connected.length,
    waiting: waiting.map(refOf),
    refused: refused.map((node) => ({ ...refOf(node), reason: node.link.delivery.reason })),
  };
}

function refOf({ id, hello: { node: { kind, namespace, name } } }: ProxyNode): ProxyRef {
  return { id, kind, namespace, name };
}
