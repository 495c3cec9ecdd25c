/** Configuration of the redirect filter. */
import { ConfigReader } from "../parse.ts";
import { parsePathConfig, type PathConfig } from "../path.ts";

/** Members left out are taken from the request. */
export interface RedirectConfig {
  readonly scheme?: "http" | "https";
  readonly hostname?: string;
  readonly path?: PathConfig;
  /** Left out: the well-known port of `scheme` when that is set, else the port the client named. */
  readonly port?: number;
  readonly statusCode: 301 | 302 | 303 | 307 | 308;
}

/** A host name, an IPv4 address or an IPv6 one in brackets. */
export const HOSTNAME = /^([0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?|\[[0-9A-Fa-f:.]{2,45}\])$/;
export const HOSTNAME_WANTED = "a host name without a port";

/** Reads the wire form; throws an Error that names field, value and what was wanted. */
export function parseRedirectConfig(config: unknown): RedirectConfig {
  const reader = new ConfigReader("redirect", config);
  const parsed: RedirectConfig = {
    ...(reader.has("scheme") && { scheme: reader.oneOf("scheme", ["http", "https"] as const) }),
    ...(reader.has("hostname") && { hostname: reader.text("hostname", HOSTNAME, HOSTNAME_WANTED) }),
    ...(reader.has("path") && { path: parsePathConfig(reader.object("path")) }),
    ...(reader.has("port") && { port: reader.integer("port", 1, 65535) }),
    statusCode: reader.oneOf("statusCode", [301, 302, 303, 307, 308] as const),
  };
  reader.end();
  return parsed;
}
