/** How a proxy is let in: a join token for one identity, and the bundle by which it knows us. */
import { Hono } from "hono";
import { z } from "zod";
import type { ApiEnv } from "../auth.ts";
import { parseWorkloadId } from "../../proxy/tls/mod.ts";
import { MAX_TOKEN_TTL_MS } from "../ca/mod.ts";
import { RESERVED_NAMESPACE } from "../ca/workload_name.ts";
import { BODY_LIMITS, readJson } from "./body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError } from "./errors.ts";
import { workloadId } from "./identities.ts";

export const tokenBody = z.strictObject({
  /** `namespace/name` of the Service or Gateway the proxy runs for. */
  identity: z.string().max(400),
  ttlMs: z.int().positive().max(MAX_TOKEN_TTL_MS).optional(),
});

export function tokenRoutes({ tokens, authority, revocations, log }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.post("/tokens", async (c) => {
    const { identity, ttlMs = MAX_TOKEN_TTL_MS } = await readJson(
      c,
      tokenBody,
      BODY_LIMITS.jsonBytes,
    );
    const id = spiffeId(identity, authority.trustDomain);
    if (revocations.has(id)) {
      throw new ApiError(
        409,
        "revoked",
        `No token is made for "${id}": it is revoked. Undo that first: denim revoke --undo ${identity}`,
      );
    }
    const token = await tokens.create(id, ttlMs);
    c.set("target", id);
    log.info("join.token_created", { identity: id });
    return c.json({ token, identity: id, expiresMs: Date.now() + ttlMs }, 201);
  });
  app.get("/trust-bundle", (c) => {
    c.header("content-type", "application/x-pem-file");
    return c.body(authority.bundle().join(""));
  });
  return app;
}

/** Takes `namespace/name` and the whole SPIFFE id. */
function spiffeId(text: string, trustDomain: string): string {
  const id = workloadId("identity", text, trustDomain);
  if (parseWorkloadId(id)?.namespace !== RESERVED_NAMESPACE) return id;
  throw new ApiError(
    403,
    "reserved",
    `Namespace "${RESERVED_NAMESPACE}" is the control plane's own`,
  );
}
