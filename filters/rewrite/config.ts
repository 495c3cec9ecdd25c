/** Configuration of the rewrite filter. */
import { ConfigReader } from "../parse.ts";
import { parsePathConfig, type PathConfig } from "../path.ts";
import { HOSTNAME, HOSTNAME_WANTED } from "../redirect/config.ts";

export interface RewriteConfig {
  /** What the backend sees as Host, without a port. */
  readonly hostname?: string;
  readonly path?: PathConfig;
}

/** Reads the wire form; throws an Error that names field, value and what was wanted. */
export function parseRewriteConfig(config: unknown): RewriteConfig {
  const reader = new ConfigReader("rewrite", config);
  const parsed: RewriteConfig = {
    ...(reader.has("hostname") && { hostname: reader.text("hostname", HOSTNAME, HOSTNAME_WANTED) }),
    ...(reader.has("path") && { path: parsePathConfig(reader.object("path")) }),
  };
  reader.end();
  return parsed;
}
