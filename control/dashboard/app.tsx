/** The pages as a Hono app over plain data: routes, security headers, assets under names that change with them. */
import { createHash } from "node:crypto";
import { Hono } from "hono";
import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { Listing } from "../market/types.ts";
import { ICON, Layout } from "./layout.tsx";
import { FilterPage, MarketplacePage } from "./marketplace.tsx";
import type { Overview } from "./model.ts";
import { OverviewPage } from "./overview.tsx";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

/** Where the pages get their facts. */
export interface PageSource {
  overview(): Overview;
  /** The newest version of every admitted filter. */
  listings(): readonly Listing[];
  /** All versions of `publisher/name`, newest first; empty when there is none. */
  versions(name: string): readonly Listing[];
  readonly trustDomain: string;
  nowMs(): number;
}

/** Nothing from elsewhere, no inline script or style, no frame, no form: escaped text is the first wall, this the second. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

const ASSETS = {
  style: `/assets/denim.${fingerprint(STYLE)}.css`,
  script: `/assets/denim.${fingerprint(SCRIPT)}.js`,
} as const;

export function createPages(source: PageSource): Hono {
  const app = new Hono();
  const page = (
    c: Context,
    about: { title: string; here: "mesh" | "filters"; live?: boolean; status?: 404 },
    body: Child,
  ): Response | Promise<Response> => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
    c.header("cache-control", "no-store");
    c.status(about.status ?? 200);
    const document = (
      <Layout
        title={about.title}
        here={about.here}
        live={about.live ?? false}
        trustDomain={source.trustDomain}
        assets={ASSETS}
      >
        {body}
      </Layout>
    );
    return c.html(`<!doctype html>${document}`);
  };

  app.get("/", (c) => {
    return page(
      c,
      { title: "Mesh", here: "mesh", live: true },
      <OverviewPage mesh={source.overview()} />,
    );
  });
  app.get("/filters", (c) => {
    return page(
      c,
      { title: "Filters", here: "filters" },
      <MarketplacePage listings={source.listings()} />,
    );
  });
  app.get("/filters/:publisher/:name", (c) => {
    const name = `${c.req.param("publisher")}/${c.req.param("name")}`;
    const versions = source.versions(name);
    const wanted = c.req.query("version");
    const listing = versions.find((one) => wanted === undefined || one.version === wanted);
    if (listing === undefined) {
      const missing = wanted === undefined ? `"${name}"` : `"${name}" in version "${wanted}"`;
      return page(
        c,
        { title: "Not found", here: "filters", status: 404 },
        <Missing text={`No filter ${missing} is admitted.`} />,
      );
    }
    return page(
      c,
      { title: listing.title === "" ? name : listing.title, here: "filters" },
      <FilterPage listing={listing} versions={versions} nowMs={source.nowMs()} />,
    );
  });
  assets(app);
  return app;
}

function Missing({ text }: { text: string }): Child {
  return (
    <>
      <h1>Not found</h1>
      <p class="lead">
        {text} See <a href="/filters">all filters</a>.
      </p>
    </>
  );
}

function assets(app: Hono): void {
  const asset = (path: string, type: string, text: string, cache: string): void => {
    app.get(path, (c) => {
      c.header("content-type", type);
      c.header("cache-control", cache);
      c.header("x-content-type-options", "nosniff");
      return c.body(text);
    });
  };
  const forEver = "public, max-age=31536000, immutable";
  asset(ASSETS.style, "text/css; charset=utf-8", STYLE, forEver);
  asset(ASSETS.script, "text/javascript; charset=utf-8", SCRIPT, forEver);
  asset("/assets/icon.svg", "image/svg+xml", ICON, "public, max-age=86400");
}

function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
