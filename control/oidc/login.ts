/**
 * Signing in with a browser: authorization code with PKCE (RFC 6749 4.1, RFC 7636, OpenID Connect Core 3.1).
 *
 *   GET /login ──302──▶ issuer ──302──▶ GET /login/callback?code,state ──▶ cookie, back to the page
 *   POST /logout (with the session's CSRF token)
 */
import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { ApiError } from "../api/errors.ts";
import { readBytes } from "../api/body.ts";
import type { ApiEnv } from "../auth.ts";
import { fetchJson } from "../jwks/fetch_json.ts";
import { randomText, sameText } from "../secrets.ts";
import type { LoginConfig } from "./config.ts";
import { principalOf, type Provider } from "./provider.ts";
import { type Session, SESSION_LIMITS, type Sessions } from "./sessions.ts";

export interface LoginParts {
  readonly provider: Provider;
  readonly login: LoginConfig;
  /** Null for a public client. */
  readonly clientSecret: string | null;
  readonly nowMs: () => number;
}

const tokenSchema = z.object({ id_token: z.string() });
const FORM_BYTES = 4096;
const HOUR_MS = 3_600_000;

/** The browser's half of signing in: what the auth middleware and the pages need of it. */
export class BrowserLogin {
  readonly sessions: Sessions;
  /** Host name under which browsers come. */
  readonly host: string;
  readonly #parts: LoginParts;
  readonly #origin: string;
  readonly #isSecure: boolean;

  constructor(parts: LoginParts, sessions: Sessions) {
    this.#parts = parts;
    this.sessions = sessions;
    const url = new URL(parts.login.url);
    this.host = url.hostname;
    this.#origin = url.origin;
    this.#isSecure = url.protocol === "https:";
  }

  /** The session of the cookie a request came with; null without one. */
  sessionOf(c: Context): Session | null {
    const secret = getCookie(c, this.#name("session"));
    return secret === undefined ? null : this.sessions.find(secret);
  }

  /** Refuses a change that a page elsewhere may have made the browser send. */
  checkCsrf(c: Context, session: Session): void {
    if (!sameText(c.req.header(CSRF_HEADER) ?? "", session.csrf)) throw csrfProblem();
    const origin = c.req.header("origin");
    if (origin !== undefined && origin !== this.#origin) throw csrfProblem();
  }

  routes(): Hono<ApiEnv> {
    const app = new Hono<ApiEnv>();
    for (const path of ["/login", "/login/*"]) {
      app.use(path, async (c, next) => {
        c.header("cache-control", "no-store");
        c.header("referrer-policy", "no-referrer");
        await next();
      });
    }
    app.get("/login", (c) => this.#begin(c));
    app.get("/login/callback", (c) => this.#end(c));
    app.post("/logout", (c) => this.#logout(c));
    return app;
  }

  async #begin(c: Context<ApiEnv>): Promise<Response> {
    const { login, nowMs } = this.#parts;
    const { authorization_endpoint: endpoint } = await this.#metadata();
    if (endpoint === undefined) throw unavailable("it has no authorization endpoint");
    const state = randomText(), nonce = randomText(), verifier = randomText();
    const to = ownPath(c.req.query("to"));
    const expiresMs = nowMs() + SESSION_LIMITS.loginMs;
    this.sessions.logins.put(state, { to, nonce, verifier, expiresMs });
    // Lax, because the issuer sends the browser back from its own site.
    this.#setCookie(c, "login", state, SESSION_LIMITS.loginMs);
    const url = new URL(endpoint);
    for (
      const [name, value] of Object.entries({
        response_type: "code",
        client_id: login.clientId,
        redirect_uri: this.#callback(),
        scope: login.scopes.join(" "),
        state,
        nonce,
        code_challenge: await challengeOf(verifier),
        code_challenge_method: "S256",
      })
    ) url.searchParams.set(name, value);
    return c.redirect(url.href, 302);
  }

  async #end(c: Context<ApiEnv>): Promise<Response> {
    const { provider, login } = this.#parts;
    const { state = "", code = "", error, iss } = c.req.query();
    const mine = getCookie(c, this.#name("login")) ?? "";
    deleteCookie(c, this.#name("login"), { path: "/", secure: this.#isSecure });
    // Only the browser that began may end: else one could be signed in to another's account.
    const begun = sameText(mine, state) ? this.sessions.logins.take(state) : null;
    if (begun === null) {
      throw new ApiError(
        400,
        "login_unknown",
        "This sign-in was not begun here, or is over: /login",
      );
    }
    // RFC 9207: an answer of another issuer is not for us.
    if (iss !== undefined && iss !== provider.config.issuer) {
      throw new ApiError(400, "login_mixed_up", "The answer is of another issuer");
    }
    if (error !== undefined) {
      const reason = /^[a-z_]{1,40}$/.test(error) ? error : "no reason that can be shown";
      throw new ApiError(403, "login_refused", `The issuer refused: ${reason}`);
    }
    const idToken = await this.#redeem(code, begun.verifier);
    const verified = await provider.verify(idToken, login.clientId);
    if (!verified.ok) throw unavailable(`its ID token is not accepted: ${verified.reason}`);
    const { nonce, azp } = verified.claims;
    // OpenID Connect Core 3.1.3.7, 4 to 5 and 11.
    if (typeof nonce !== "string" || !sameText(nonce, begun.nonce)) {
      throw unavailable("its ID token is of another sign-in");
    }
    if (azp !== undefined && azp !== login.clientId) {
      throw unavailable("its ID token was made for another client");
    }
    const principal = principalOf(verified.claims, provider.config, "session");
    c.set("principal", principal);
    if (principal.roles.length === 0) {
      throw new ApiError(
        403,
        "no_role",
        `"${principal.name}" is signed in at the issuer, but no claim gives a role here`,
      );
    }
    const lifeMs = login.sessionHours * HOUR_MS;
    const secret = this.sessions.open(principal, lifeMs);
    this.#setCookie(c, "session", secret, lifeMs);
    return c.redirect(begun.to, 302);
  }

  async #logout(c: Context<ApiEnv>): Promise<Response> {
    const bytes = await readBytes(c, FORM_BYTES);
    const csrf = new URLSearchParams(new TextDecoder().decode(bytes)).get("csrf") ?? "";
    const session = this.sessionOf(c);
    if (session !== null) {
      if (!sameText(csrf, session.csrf)) throw csrfProblem();
      this.sessions.close(getCookie(c, this.#name("session")) ?? "");
    }
    deleteCookie(c, this.#name("session"), { path: "/", secure: this.#isSecure });
    return c.redirect("/login/out", 303);
  }

  /** The ID token for the code. */
  async #redeem(code: string, verifier: string): Promise<string> {
    const { provider, login, clientSecret } = this.#parts;
    const metadata = await this.#metadata();
    if (metadata.token_endpoint === undefined) throw unavailable("it has no token endpoint");
    const form = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: this.#callback(),
      client_id: login.clientId,
      code_verifier: verifier,
    });
    const headers: Record<string, string> = {};
    if (clientSecret !== null) {
      // RFC 8414 2: client_secret_basic is what is meant when nothing is said.
      const methods = metadata.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
      if (methods.includes("client_secret_basic")) {
        headers["authorization"] = basic(login.clientId, clientSecret);
      } else form.set("client_secret", clientSecret);
    }
    try {
      const answer = await fetchJson(metadata.token_endpoint, {
        caPem: provider.caPem,
        headers,
        form,
      });
      return tokenSchema.parse(answer).id_token;
    } catch (error) {
      if (error instanceof z.ZodError) throw unavailable("it sent no ID token");
      throw unavailable(error instanceof Error ? error.message : String(error));
    }
  }

  async #metadata(): ReturnType<Provider["metadata"]> {
    try {
      return await this.#parts.provider.metadata();
    } catch (error) {
      throw unavailable(error instanceof Error ? error.message : String(error));
    }
  }

  #callback(): string {
    return `${this.#parts.login.url.replace(/\/+$/, "")}/login/callback`;
  }

  /** `__Host-`: no other name of the same domain can have set it (RFC 6265bis 4.1.3.2). */
  #name(kind: "login" | "session"): string {
    return `${this.#isSecure ? "__Host-" : ""}denim-${kind}`;
  }

  #setCookie(c: Context, kind: "login" | "session", value: string, lifeMs: number): void {
    setCookie(c, this.#name(kind), value, {
      path: "/",
      httpOnly: true,
      secure: this.#isSecure,
      sameSite: "Lax",
      maxAge: Math.floor(lifeMs / 1000),
    });
  }
}

/** What a change that comes with a cookie must carry, for a page elsewhere cannot read it. */
export const CSRF_HEADER = "x-denim-csrf";

function csrfProblem(): ApiError {
  return new ApiError(
    403,
    "csrf",
    `A change with a cookie wants ${CSRF_HEADER}, as the page's meta element denim-csrf says it`,
  );
}

function unavailable(reason: string): ApiError {
  return new ApiError(502, "login_failed", `The issuer could not sign you in: ${reason}`);
}

/** Only pages of ours: `//evil.example` and `/\evil.example` are addresses elsewhere to a browser. */
function ownPath(to: string | undefined): string {
  return to !== undefined && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(to) ? to : "/";
}

async function challengeOf(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** RFC 6749 2.3.1: both are form-encoded before they are put together. */
function basic(id: string, secret: string): string {
  const encode = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);
  return `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`;
}
