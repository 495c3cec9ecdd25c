/** The marketplace over HTTP: push, list, look at one, read its source. */
import { type Context, Hono } from "hono";
import { z } from "zod";
import { covers } from "../access/roles.ts";
import type { ApiEnv } from "../auth.ts";
import { MarketError, pushFromForm } from "../market/mod.ts";
import { BODY_LIMITS, readBytes, readJson } from "./body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError, notFound } from "./errors.ts";

export const publisherBody = z.strictObject({
  name: z.string().max(63),
  /** Base64 of the 32 raw bytes of an Ed25519 key. */
  publicKey: z.string().max(64),
});

export function filterRoutes({ market, publisher, log }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();

  app.post("/filters", async (c) => {
    const push = await pushFromForm(await readForm(c));
    const listing = await market.admit(push);
    const { name, version, digest } = listing;
    c.set("target", `filter ${name} ${version}`);
    log.info("filter.admitted", { name, version, digest });
    // Bindings that name no version run the newest.
    publisher.schedule();
    return c.json(listing, 201);
  });
  app.get("/filters", (c) => c.json({ filters: market.list() }));
  app.get("/filters/:digest{sha256:[0-9a-f]+}/source", async (c) => {
    const digest = c.req.param("digest");
    const source = await market.original(digest);
    if (source === null) throw notFound(`filter with digest "${digest}"`);
    return c.body(source.bytes, 200, {
      "content-type": source.mediaType,
      "content-disposition": "attachment",
      "x-content-type-options": "nosniff",
    });
  });
  app.get("/filters/:publisher/:name", (c) => {
    const name = nameOf(c);
    const versions = market.versions(name);
    if (versions.length === 0) throw notFound(`filter "${name}"`);
    return c.json({ name, versions });
  });
  app.get("/filters/:publisher/:name/:version", (c) => {
    const name = nameOf(c), version = c.req.param("version");
    const listing = market.get(name, version);
    if (listing === null) throw notFound(`filter "${name}" in version "${version}"`);
    return c.json(listing);
  });

  app.get("/publishers", (c) => c.json({ publishers: market.publishers() }));
  app.post("/publishers", async (c) => {
    const { name, publicKey } = await readJson(c, publisherBody, BODY_LIMITS.jsonBytes);
    const known = market.publishers().find((one) => one.name === name);
    const isOwn = known === undefined || known.keys.some((key) => key.publicKey === publicKey);
    // Or one publisher could sign in the name of another.
    if (!isOwn && !covers(c.var.principal.roles, "admin")) {
      throw new ApiError(
        403,
        "forbidden",
        `The publisher "${name}" has a key already; only an admin may add another`,
      );
    }
    c.set("target", `publisher "${name}"`);
    return c.json(await market.addPublisherKey(name, publicKey), 201);
  });
  return app;
}

function nameOf(c: Context): string {
  return `${c.req.param("publisher")}/${c.req.param("name")}`;
}

/** Read whole and bounded first: the form reader itself knows no limit. */
async function readForm(c: Context): Promise<FormData> {
  const type = c.req.header("content-type") ?? "";
  const bytes = await readBytes(c, BODY_LIMITS.filterBytes);
  try {
    return await new Response(bytes, { headers: { "content-type": type } }).formData();
  } catch (error) {
    if (error instanceof MarketError) throw error;
    throw new ApiError(
      400,
      "bad_form",
      "The body is not a multipart form with module, manifest, statement and signature. " +
        "denim filter push makes one",
    );
  }
}
