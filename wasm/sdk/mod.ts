/**
 * Write a filter for Denim in TypeScript.
 *
 * ```ts
 * import { defineFilter, text } from "denim/filter";
 *
 * export default defineFilter({
 *   name: "hello",
 *   version: "1.0.0",
 *   config: { greeting: text("hello") },
 *   onRequest(request, ctx) {
 *     if (request.pathname === "/secret") return ctx.respond(403, "not for you\n");
 *   },
 *   onResponse(response, ctx) {
 *     response.headers.set("x-greeting", ctx.config.greeting);
 *   },
 * });
 * ```
 *
 * Hooks are synchronous. Only those that are written are called. An exception in a hook is a failure of
 * the filter: it is logged and the fail mode of its FilterBinding decides what becomes of the request.
 * What stands outside the hooks runs once, when the filter is built.
 *
 * @module
 */
export {
  choice,
  type ConfigOf,
  type Field,
  flag,
  list,
  map,
  number,
  type Shape,
  text,
} from "./config.ts";
export { type Context, defineFilter, type FilterDefinition, type Peer, Reply } from "./define.ts";
export { FilterHeaders } from "./headers.ts";
export { kv } from "./kv.ts";
export { log } from "./log.ts";
export { FilterBody, FilterRequest, FilterResponse } from "./message.ts";
export { metrics } from "./metrics.ts";
