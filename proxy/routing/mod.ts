/**
 * Routing: `compileRoutes` turns the hosts of a listener into a {@link Matcher}, `normalizePath` gives every
 * request path the one spelling that is matched and forwarded, and {@link ServerNames} tells requests that
 * came by the wrong TLS connection.
 *
 * @module
 */
export { type EscapedSlashes, normalizePath } from "./path.ts";
export { ServerNames } from "./server_names.ts";
export { compileRoutes, Matcher } from "./table.ts";
