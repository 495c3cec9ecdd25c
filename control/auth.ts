/** Who may call: finds out who it is, and holds that against the role the call wants. */
import type { Context, MiddlewareHandler } from "hono";
import { covers, type Principal, type Role, rolesFor } from "./access/roles.ts";
import type { AccessTokens } from "./access/tokens.ts";
import { ApiError } from "./api/errors.ts";
import { ruleOf } from "./api/rules.ts";
import type { Oidc, Session } from "./oidc/mod.ts";
import { randomText, sameText } from "./secrets.ts";

const TOKEN = /^denim-admin-[A-Za-z0-9_-]{43}$/;
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
/** Asked by supervisors, which have no name for us. */
const PROBES = ["GET /healthz", "GET /readyz"];
/** What reverse proxies say of whom they speak for. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
const FIRST_ADMIN: Principal = { name: "admin", proof: "admin-token", roles: ["admin"] };

export interface AuthOptions {
  readonly adminToken: string;
  /** Host names, beside those of this machine, that requests may be addressed to. */
  readonly hosts: readonly string[];
  readonly tokens: Pick<AccessTokens, "check">;
  /** Null: tokens of no other issuer are believed, and no browser is signed in. */
  readonly oidc?: Oidc | null;
  /**
   * Who may read without a token: everybody who can connect (then the network around must be the wall),
   * programs of this machine, or nobody.
   */
  readonly reads: "open" | "local" | "closed";
}

/** What is known of a request beside its bytes; Hono's environment. */
export interface ApiEnv {
  // Hono wants its bindings under this name.
  Bindings: { readonly remoteAddress: string };
  Variables: {
    principal: Principal;
    /** Of a browser that is signed in. */
    session: Session | undefined;
    /** What a change was about, for the audit log; handlers say it. */
    target: string | undefined;
  };
}

/**
 * The token of `file`, made at the first start. Whoever can read the file rules the mesh, so it must
 * be its owner's alone.
 */
export async function adminToken(file: string): Promise<string> {
  try {
    const { mode } = await Deno.stat(file);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new Error(
        `Cannot use "${file}": others than its owner may read it. Run: chmod 600 "${file}"`,
      );
    }
    const text = (await Deno.readTextFile(file)).trim();
    if (TOKEN.test(text)) return text;
    throw new Error(
      `Cannot use "${file}": it holds no admin token. Remove it to have a new one made`,
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const token = `denim-admin-${randomText()}`;
  await Deno.writeTextFile(file, `${token}\n`, { createNew: true, mode: 0o600 });
  return token;
}

/** Refuses requests that a page elsewhere made a browser send, and whoever has not the role for them. */
export function auth(options: AuthOptions): MiddlewareHandler<ApiEnv> {
  const more = [
    ...options.hosts,
    ...options.oidc?.browser == null ? [] : [options.oidc.browser.host],
  ];
  const hosts = new Set([...LOOPBACK_NAMES, ...more.map((one) => one.toLowerCase())]);
  return async (c, next) => {
    const rule = ruleOf(c);
    if (PROBES.includes(rule.name)) return await next();
    // A page whose name was pointed at this machine (DNS rebinding) still sends that name.
    const host = hostname(c.req.header("host") ?? "");
    if (!hosts.has(host)) {
      throw new ApiError(
        403,
        "bad_host",
        `This control plane does not answer to the name "${host}". ` +
          "Use the address it listens on, or start it with --allow-host",
      );
    }
    const principal = await principalOf(c, options);
    c.set("principal", principal);
    const canLogin = options.oidc?.browser != null && principal.proof === "none" && wantsPage(c);
    if (canLogin && rule.role !== "anyone" && !covers(principal.roles, rule.role)) {
      return c.redirect(`/login?to=${encodeURIComponent(c.req.path)}`, 302);
    }
    if (rule.role !== "anyone") mustBe(principal, rule.role, rule.name);
    await next();
  };
}

function mustBe(principal: Principal, role: Role, what: string): void {
  if (covers(principal.roles, role)) return;
  if (principal.proof === "none") {
    throw new ApiError(
      401,
      "unauthorized",
      `A token is wanted for ${what}: Authorization: Bearer <token>. The first one is the content of ` +
        "DATA/admin.token; denim token create --role makes others",
    );
  }
  const held = principal.roles.length === 0 ? "no role" : `the role ${principal.roles.join(", ")}`;
  throw new ApiError(
    403,
    "forbidden",
    `"${principal.name}" has ${held}; ${what} wants ${rolesFor(role).join(" or ")}`,
  );
}

/** Who says nothing of himself is somebody too; who says something wrong is refused. */
async function principalOf(c: Context<ApiEnv>, options: AuthOptions): Promise<Principal> {
  const given = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (given === undefined) return withoutToken(c, options);
  if (sameText(given, options.adminToken)) return FIRST_ADMIN;
  const principal = await options.tokens.check(given);
  if (principal !== null) return principal;
  if (options.oidc != null && given.startsWith("eyJ")) {
    const recognised = await options.oidc.provider.recognise(given);
    if (recognised.ok) return recognised.principal;
    const { code, reason } = recognised;
    const status = code === "unavailable" ? 503 : 401;
    throw new ApiError(status, `token_${code}`, `The token is not accepted: ${reason}`);
  }
  throw new ApiError(
    401,
    "unauthorized",
    "The token is none of this control plane, has been revoked, or is over. " +
      "The first one is the content of DATA/admin.token",
  );
}

function withoutToken(c: Context<ApiEnv>, options: AuthOptions): Principal {
  const browser = options.oidc?.browser ?? null;
  const session = browser?.sessionOf(c) ?? null;
  if (browser === null || session === null) {
    return { name: "anonymous", proof: "none", roles: openRoles(c, options) };
  }
  c.set("session", session);
  // Signing out checks its form itself.
  if (!isRead(c) && c.req.path !== "/logout") browser.checkCsrf(c, session);
  return session.principal;
}

/** Whether a request leaves everything as it is: the others are held to CSRF tokens and the audit log. */
export function isRead(c: Context<ApiEnv>): boolean {
  return c.req.method === "GET" || c.req.method === "HEAD";
}

/** What a browser asks for when somebody follows a link. */
export function wantsPage(c: Context<ApiEnv>): boolean {
  return c.req.method === "GET" && (c.req.header("accept") ?? "").includes("text/html");
}

function openRoles(c: Context<ApiEnv>, { reads }: AuthOptions): readonly Role[] {
  const isOpen = reads === "open" || (reads === "local" && isLocal(c));
  return isOpen ? ["viewer"] : [];
}

/** Not what a reverse proxy on this machine passes on: that comes from anywhere. */
function isLocal(c: Context<ApiEnv>): boolean {
  return isLoopback(c.env.remoteAddress) &&
    LOOPBACK_NAMES.includes(hostname(c.req.header("host") ?? "")) &&
    FORWARDED.every((name) => c.req.header(name) === undefined);
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
