/** Rotation of the authority's root or intermediate. */
import { Hono } from "hono";
import { z } from "zod";
import type { ApiEnv } from "../auth.ts";
import { AuthorityError } from "../ca/mod.ts";
import { RotationError } from "../ca/rotation.ts";
import { author, authorOf } from "./apply.ts";
import { BODY_LIMITS, readJson } from "./body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError } from "./errors.ts";

const pem = z.string().max(20_000);

export const rotateBody = z.strictObject({
  kind: z.enum(["root", "intermediate"]),
  /** The old intermediate's key is in other hands: it is revoked when every proxy has a new certificate. */
  compromised: z.boolean().optional(),
  /** … or at once. */
  now: z.boolean().optional(),
  /** PEM of a root and an issuing chain made elsewhere. */
  brought: z.strictObject({ root: pem.nullable(), chain: pem, key: pem }).optional(),
  author,
}).refine((body) => body.compromised !== true || body.kind === "intermediate", {
  error: "compromised goes with kind intermediate: a stolen root is replaced by rotating the root",
}).refine((body) => body.now !== true || body.compromised === true, {
  error: "now goes with compromised",
}).refine(
  (body) => body.brought === undefined || (body.brought.root !== null) === (body.kind === "root"),
  {
    error: "brought wants a root where the root is rotated, and none otherwise",
  },
);

export const byBody = z.strictObject({ author });

export function rotationRoutes({ rotation }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/ca/rotation", (c) => c.json({ rotation: rotation.status() }));

  app.post("/ca/rotation", async (c) => {
    const body = await readJson(c, rotateBody, BODY_LIMITS.jsonBytes);
    c.set("target", `the ${body.kind}${body.compromised === true ? ", compromised" : ""}`);
    await told(() =>
      rotation.start({
        kind: body.kind,
        compromised: body.compromised ?? false,
        now: body.now ?? false,
        brought: body.brought ?? null,
        author: authorOf({ by: c.var.principal, author: body.author }),
      })
    );
    return c.json({ rotation: rotation.status() }, 201);
  });

  app.post("/ca/rotation/abort", async (c) => {
    const body = await readJson(c, byBody, BODY_LIMITS.jsonBytes);
    c.set("target", `rotation of the ${rotation.status()?.kind ?? "authority"}`);
    await told(() => rotation.abort(authorOf({ by: c.var.principal, author: body.author })));
    return c.json({ rotation: rotation.status() });
  });

  app.post("/ca/rotation/force", async (c) => {
    const body = await readJson(c, byBody, BODY_LIMITS.jsonBytes);
    const by = authorOf({ by: c.var.principal, author: body.author });
    c.set("target", `rotation of the ${rotation.status()?.kind ?? "authority"}`);
    const left = await told(() => rotation.force(by));
    return c.json({ rotation: rotation.status(), left });
  });
  return app;
}

/** What cannot be done is told as it is; the rest is a failure. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RotationError) throw new ApiError(409, "rotation_refused", error.message);
    if (error instanceof AuthorityError) throw new ApiError(422, "invalid", error.message);
    throw error;
  }
}
