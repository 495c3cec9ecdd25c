/** The trust domain's authority, for `denim ca`. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import { describeAuthority, MAX_FOUND } from "../ca/mod.ts";
import type { AuthorityView } from "../view.ts";
import type { ApiDeps } from "./deps.ts";
import { badValue } from "./errors.ts";
import { workloadId } from "./identities.ts";
import { limitOf } from "./query.ts";

export function authorityRoutes({ authority, federation }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/ca", (c) => {
    const view: AuthorityView = {
      ...describeAuthority(authority),
      federation: federation.view(),
    };
    return c.json(view);
  });
  app.get("/audit/certs", async (c) => {
    const { identity, serial, since } = c.req.query();
    const limit = limitOf(c.req.query("limit"), MAX_FOUND);
    if (serial !== undefined && !/^[0-9A-Fa-f:]{1,64}$/.test(serial)) {
      throw badValue("serial", `is "${serial}"; wanted hexadecimal digits`);
    }
    const sinceMs = since === undefined ? undefined : Date.parse(since);
    if (Number.isNaN(sinceMs)) throw badValue("since", `is "${since}"; wanted a time (ISO 8601)`);
    const id = identity === undefined || identity.startsWith("spiffe://")
      ? identity
      : workloadId("identity", identity, authority.trustDomain);
    const query = { identity: id, serial, sinceMs, limit };
    return c.json(await authority.log.search(query));
  });
  return app;
}
