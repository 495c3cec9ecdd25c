/**
 * Routing: `compileRoutes` turns the hosts of a listener into a {@link Matcher}, and `normalizePath` gives
 * every request path the one spelling that is matched and forwarded.
 *
 * @module
 */
export { type EscapedSlashes, normalizePath } from "./path.ts";
export { compileRoutes, Matcher } from "./table.ts";
