/** Names a filter may touch, as a FilterBinding grants and a filter's manifest asks for them. */
import { z } from "zod";
import { PERMISSION_PATTERN } from "../../wasm/permissions.ts";
import { wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const pattern = z.string(wanted("a name")).regex(
  PERMISSION_PATTERN,
  wanted('a name without spaces, with at most one "*", at its beginning or end'),
);
const headerPattern = pattern.refine(
  (name) => name === name.toLowerCase(),
  wanted("a header name in lower case"),
);

const listOf = (item: z.ZodType<string>) =>
  z.array(item).max(LIMITS.permissionNames, {
    error: `holds more than ${LIMITS.permissionNames} names`,
  }).optional();

/**
 * Left out is `["*"]`. `*` does not stand for headers that carry credentials (authorization, cookie,
 * set-cookie and the like): those are named.
 */
export const filterPermissions = z.strictObject({
  headers: z.strictObject({
    read: listOf(headerPattern),
    write: listOf(headerPattern),
    remove: listOf(headerPattern),
  }).optional(),
  /** Paths with dots, such as `request.*`. */
  properties: listOf(pattern),
  /** Keys of shared data and of kv. */
  sharedData: listOf(pattern),
  /** Names of the filter's own metrics. */
  metrics: listOf(pattern),
});
