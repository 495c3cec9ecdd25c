/** The pages as a Hono app over plain data: routes, security headers, assets under names that change with them. */
import { Hono } from "hono";
import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Log } from "../../core/log.ts";
import { redact } from "../../core/redact.ts";
import { covers } from "../access/roles.ts";
import { toApiError } from "../api/errors.ts";
import type { AuditEntry } from "../audit/log.ts";
import type { ApiEnv } from "../auth.ts";
import type { Listing } from "../market/types.ts";
import { AuditPage } from "./audit.tsx";
import { ICON, Layout, type LayoutProps } from "./layout.tsx";
import { FilterPage, MarketplacePage } from "./marketplace.tsx";
import type { Overview } from "./model.ts";
import { OverviewPage } from "./overview.tsx";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { sha256Hex } from "../digest.ts";

import type { FilterBinding } from "../schema/filter_binding.ts";

/** Where the pages get their facts. */
export interface PageSource {
  overview(): Overview;
  /** The newest version of every admitted filter. */
  listings(): readonly Listing[];
  /** All versions of `publisher/name`, newest first; empty when there is none. */
  versions(name: string): readonly Listing[];
  /** FilterBindings of `publisher/name`. */
  bindings?(name: string): readonly FilterBinding[];
  /** The newest entries of the audit log. */
  audit?(): Promise<readonly AuditEntry[]>;
  /** Whether browsers can sign in. */
  readonly canSignIn?: boolean;
  readonly trustDomain: string;
  nowMs(): number;
}

export interface Pages {
  readonly routes: Hono<ApiEnv>;
  /** What a browser is shown when something failed or was refused. */
  problem(c: Context<ApiEnv>, error: Error, log: Log): Response | Promise<Response>;
}

interface About {
  readonly title: string;
  readonly here: LayoutProps["here"];
  readonly live?: boolean;
  readonly status?: ContentfulStatusCode;
}

/** Nothing from elsewhere, no inline script or style, no frame, no form to elsewhere: escaped text is the first wall, this the second. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

/** A browser cannot show a token as programs do. */
const NOBODY_SIGNS_IN =
  "This page wants to know who looks, and no identity provider is configured that could sign you in " +
  "(denim control --oidc FILE). On the command line the same is shown to whoever has a token: " +
  "denim audit log, denim get all.";

const ASSETS = {
  style: `/assets/denim.${fingerprint(STYLE)}.css`,
  script: `/assets/denim.${fingerprint(SCRIPT)}.js`,
} as const;

export function createPages(source: PageSource): Pages {
  const app = new Hono<ApiEnv>();
  const page = (c: Context<ApiEnv>, about: About, body: Child): Response | Promise<Response> => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
    c.header("cache-control", "no-store");
    c.status(about.status ?? 200);
    const document = (
      <Layout
        title={about.title}
        here={about.here}
        live={about.live ?? false}
        trustDomain={source.trustDomain}
        account={accountOf(c, source.canSignIn ?? false)}
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
      <FilterPage
        listing={listing}
        versions={versions}
        bindings={source.bindings?.(name) ?? []}
        nowMs={source.nowMs()}
      />,
    );
  });
  app.get("/audit", async (c) => {
    const entries = await source.audit?.() ?? [];
    return page(
      c,
      { title: "Audit log", here: "audit", live: true },
      <AuditPage entries={entries} nowMs={source.nowMs()} />,
    );
  });
  app.get("/login/out", (c) => {
    return page(
      c,
      { title: "Signed out", here: "none" },
      <Notice title="Signed out" text="You are signed out of Denim." />,
    );
  });
  assets(app);
  const problem: Pages["problem"] = (c, error, log) => {
    const { status, message } = toApiError(c, error, log);
    const title = status === 401 || status === 403 ? "Not for you" : "That did not work";
    const isUnknown = status === 401 && !(source.canSignIn ?? false);
    const text = isUnknown ? NOBODY_SIGNS_IN : redact(message);
    return page(
      c,
      { title, here: "none", status },
      <Notice title={title} text={text} />,
    );
  };
  return { routes: app, problem };
}

/** Who looks at the page, as far as it must know. */
function accountOf(c: Context<ApiEnv>, canSignIn: boolean): LayoutProps["account"] {
  // The pages are shown without anybody asking who looks in tests of theirs.
  const principal = c.var.principal as ApiEnv["Variables"]["principal"] | undefined;
  if (principal === undefined || principal.proof === "none") return { signedIn: false, canSignIn };
  const csrf = c.var.session?.csrf ?? null;
  const isAdmin = covers(principal.roles, "admin");
  return { signedIn: true, name: principal.name, roles: principal.roles, isAdmin, csrf };
}

function Notice({ title, text }: { title: string; text: string }): Child {
  return (
    <>
      <h1>{title}</h1>
      <p class="lead">{text}</p>
    </>
  );
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

function assets(app: Hono<ApiEnv>): void {
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
  return sha256Hex(text).slice(0, 12);
}
