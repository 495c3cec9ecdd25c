/** Which worlds of components a proxy speaks, and in words why it does not speak another. */
import { FILTER_EXPORT } from "./component/bundle.ts";

export const FILTER_INTERFACES: readonly string[] = ["host", "kv", "metrics", "http", "types"].map((
  name,
) => `denim:filter/${name}`);
/** Versions of packages by what imports of them must begin with; a patch is no change. */
const VERSIONS = { "denim:filter": /@0\.1\.0$/, "wasi": /@0\.2\.\d{1,4}$/ } as const;
/** What a handler may import: it answers by itself and knows nothing else of the world. */
export const HANDLER_INTERFACES: readonly string[] = [
  "wasi:http/types",
  "wasi:io/error",
  "wasi:io/poll",
  "wasi:io/streams",
];
/** A component that answers requests itself, in any 0.2 version. */
export const HANDLER_EXPORT = /^wasi:http\/incoming-handler@0\.2\.\d{1,4}$/;

/** Null: it fits. Names with their versions, as the binary has them. */
export function worldProblem(
  imports: readonly string[],
  exports: readonly string[],
): string | null {
  const names = imports.map((name) => name.split("@")[0]!);
  const next = [...imports, ...exports].find((name) => /^wasi:http\/[a-z-]+@0\.3/.test(name));
  if (next !== undefined) {
    return `The component speaks wasi:http 0.3 (${next}), whose functions are ` +
      "asynchronous; this version runs handlers of 0.2 (wasi:http/incoming-handler) and filters " +
      `(${FILTER_EXPORT})`;
  }
  const handler = exports.find((name) => HANDLER_EXPORT.test(name));
  const filter = exports.includes(FILTER_EXPORT);
  if (!filter && handler === undefined) {
    return `The component does not export ${FILTER_EXPORT} or wasi:http/incoming-handler@0.2`;
  }
  const offered = filter ? FILTER_INTERFACES : HANDLER_INTERFACES;
  const strange = names.find((name) => !offered.includes(name));
  const other = imports.find((name) =>
    name.includes("@") && !VERSIONS[name.startsWith("wasi:") ? "wasi" : "denim:filter"].test(name)
  );
  if (strange === undefined && other !== undefined) {
    return `The component imports ${other}, a version this host does not have`;
  }
  if (strange === undefined) return null;
  const hint = strange === "wasi:http/outgoing-handler"
    ? "; a handler makes no requests here, a filter with denim:filter/http does"
    : `; a ${filter ? "filter" : "handler"} may import ${offered.join(", ")}`;
  return `The component imports ${strange}${hint}`;
}
