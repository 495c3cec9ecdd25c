/** How redirect and rewrite change a path: whole, or the prefix its route matched. The query stays. */
import type { ConfigReader } from "./parse.ts";

export type PathConfig =
  | { readonly type: "ReplaceFullPath"; readonly value: string }
  /** `prefix`: the PathPrefix of the rule's match, without a trailing slash; "" for `/`. */
  | { readonly type: "ReplacePrefixMatch"; readonly value: string; readonly prefix: string };

/** Printable ASCII that may stand in a request target, without a query or fragment. */
const PATH = /^[!"$-;=@-~]*$/;
const PATH_WANTED = "a path of visible ASCII characters without ? and #";

/** Reads the `path` member of a redirect or rewrite. */
export function parsePathConfig(reader: ConfigReader): PathConfig {
  const type = reader.oneOf("type", ["ReplaceFullPath", "ReplacePrefixMatch"] as const);
  const value = reader.text("value", PATH, PATH_WANTED);
  if (type === "ReplaceFullPath") {
    reader.end();
    return { type, value: value.startsWith("/") ? value : `/${value}` };
  }
  const prefix = reader.text("prefix", PATH, PATH_WANTED);
  reader.end();
  return {
    type,
    value: value === "" || value.startsWith("/") ? value : `/${value}`,
    prefix: trimSlash(prefix),
  };
}

/** The request target with its path changed; `*` and a path outside the prefix stay as they are. */
export function changePath(target: string, config: PathConfig): string {
  if (!target.startsWith("/")) return target;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark);
  if (config.type === "ReplaceFullPath") return config.value + query;
  return replacePrefix(path, config.prefix, config.value) + query;
}

/** By whole segments: with prefix /a, /a/b becomes value + /b, and /ab is not touched. */
function replacePrefix(path: string, prefix: string, value: string): string {
  if (!path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  if (rest === "") return value === "" ? "/" : value;
  if (!rest.startsWith("/")) return path;
  return trimSlash(value) + rest;
}

function trimSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
