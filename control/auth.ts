/** Who may call: everybody may read from this machine, the admin token may do the rest. */
import type { Context, MiddlewareHandler } from "hono";
import { crypto, timingSafeEqual } from "@std/crypto";
import { ApiError } from "./api/errors.ts";

const TOKEN_BYTES = 32;
const TOKEN = /^denim-admin-[A-Za-z0-9_-]{43}$/;
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
/** Asked by supervisors, which have no token and no name for us. */
const PROBES = ["/healthz", "/readyz"];

export interface AuthOptions {
  readonly adminToken: string;
  /** Host names, beside those of this machine, that requests may be addressed to. */
  readonly hosts: readonly string[];
  /** Reading needs no token from anywhere: the network around must be the wall. */
  readonly openReads: boolean;
}

/** What is known of a request beside its bytes; Hono's environment. */
export interface ApiEnv {
  // Hono wants its bindings under this name.
  Bindings: { readonly remoteAddress: string };
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
  const secret = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  const token = `denim-admin-${secret.toBase64({ alphabet: "base64url", omitPadding: true })}`;
  await Deno.writeTextFile(file, `${token}\n`, { createNew: true, mode: 0o600 });
  return token;
}

/** Refuses requests that a page elsewhere made a browser send, and changes without the token. */
export function auth(options: AuthOptions): MiddlewareHandler<ApiEnv> {
  const hosts = new Set([...LOOPBACK_NAMES, ...options.hosts.map((one) => one.toLowerCase())]);
  const expected = new TextEncoder().encode(options.adminToken);
  return async (c, next) => {
    if (PROBES.includes(c.req.path)) return await next();
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
    if (isRead(c) && (options.openReads || isLoopback(c.env.remoteAddress))) return await next();
    if (!hasToken(c, expected)) {
      throw new ApiError(
        401,
        "unauthorized",
        "The admin token is wanted: Authorization: Bearer <content of DATA/admin.token>",
      );
    }
    await next();
  };
}

function isRead(c: Context): boolean {
  return c.req.method === "GET" || c.req.method === "HEAD";
}

/** Compared in time that depends on lengths only. */
function hasToken(c: Context, expected: Uint8Array): boolean {
  const given = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return given !== undefined && timingSafeEqual(new TextEncoder().encode(given), expected);
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
