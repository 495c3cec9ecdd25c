/** Answers with a redirect built from the request: HTTPRoute's RequestRedirect. */
import { Fields } from "../../core/fields.ts";
import type { Filter, FilterContext, FilterEnv, Verdict } from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import { changePath } from "../path.ts";
import { parseRedirectConfig, type RedirectConfig } from "./config.ts";

export function createRedirectFilter(config: unknown, _env: FilterEnv): Filter {
  return new RedirectFilter(parseRedirectConfig(config));
}

class RedirectFilter implements Filter {
  readonly #config: RedirectConfig;

  constructor(config: RedirectConfig) {
    this.#config = config;
  }

  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    const fields = new Fields(["location", locationOf(head, this.#config), "content-length", "0"]);
    return ctx.respond(this.#config.statusCode, fields);
  }
}

/** The absolute URL the client is sent to; the well-known port of the scheme is left unsaid. */
export function locationOf(head: RequestHead, config: RedirectConfig): string {
  const scheme = config.scheme ?? head.scheme;
  const at = portColon(head.authority);
  const host = config.hostname ?? (at < 0 ? head.authority : head.authority.slice(0, at));
  const port = portOf(head, config, at);
  const shown = port === "" || port === wellKnown(scheme) ? "" : `:${port}`;
  const path = config.path === undefined ? head.path : changePath(head.path, config.path);
  return `${scheme}://${host}${shown}${path.startsWith("/") ? path : "/"}`;
}

function portOf(head: RequestHead, config: RedirectConfig, at: number): string {
  if (config.port !== undefined) return String(config.port);
  // A new scheme lives at its own port, not at the one the client reached us by.
  if (config.scheme !== undefined) return wellKnown(config.scheme);
  return at < 0 ? "" : head.authority.slice(at + 1);
}

function wellKnown(scheme: string): string {
  return scheme === "https" ? "443" : "80";
}

/** Index of the colon before the port, −1 without one; colons inside [] belong to an IPv6 address. */
function portColon(authority: string): number {
  const colon = authority.lastIndexOf(":");
  return colon > authority.lastIndexOf("]") ? colon : -1;
}
