/** The filters an HTTPRoute may carry, as the Gateway API writes them. */
import { z } from "zod";
import {
  DENIM_GROUP,
  headerName,
  headerValue,
  name,
  port,
  preciseHostname,
  problem,
  show,
  wanted,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const header = z.strictObject({ name: headerName, value: headerValue });

const headerList = z.array(header).max(LIMITS.headersPerModifier, {
  error: `holds more than ${LIMITS.headersPerModifier} headers`,
});

const modifier = z.strictObject({
  set: headerList.optional(),
  add: headerList.optional(),
  remove: z.array(headerName).max(LIMITS.headersPerModifier, {
    error: `holds more than ${LIMITS.headersPerModifier} names`,
  }).optional(),
}).check((ctx) => {
  const { set, add, remove } = ctx.value;
  for (const [list, names] of Object.entries({ set, add }).map(namesOf)) unique(ctx, list, names);
  unique(ctx, "remove", remove ?? []);
  for (const list of ["set", "add", "remove"] as const) {
    const at = (ctx.value[list] ?? []).findIndex((entry) =>
      UNTOUCHABLE.has((typeof entry === "string" ? entry : entry.name).toLowerCase())
    );
    if (at >= 0) {
      problem(ctx, [list, at], "names a field that frames the message; the proxy writes it itself");
    }
  }
});

/** Changing these would break the framing or the routing of the message. */
const UNTOUCHABLE = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function namesOf(
  [list, headers]: [string, { name: string }[] | undefined],
): [string, string[]] {
  return [list, (headers ?? []).map((one) => one.name)];
}

function unique(ctx: z.core.ParsePayload<unknown>, list: string, names: readonly string[]): void {
  const seen = new Set<string>();
  names.forEach((text, at) => {
    const key = text.toLowerCase();
    if (seen.has(key)) problem(ctx, [list, at], `names the header ${show(text)} a second time`);
    seen.add(key);
  });
}

const replacement = z.string().max(
  LIMITS.pathChars,
  wanted(`at most ${LIMITS.pathChars} characters`),
).regex(
  /^[-A-Za-z0-9/._~!$&'()*+,;=:@%]*$/,
  wanted("a path: no spaces, query or fragment, other characters percent-encoded"),
).refine(
  (path) => path === "" || path.startsWith("/"),
  wanted('a path that starts with "/"'),
);

const pathModifier = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("ReplaceFullPath"), replaceFullPath: replacement }),
  z.strictObject({ type: z.literal("ReplacePrefixMatch"), replacePrefixMatch: replacement }),
]);

const redirect = z.strictObject({
  scheme: z.enum(["http", "https"]).optional(),
  hostname: preciseHostname.optional(),
  path: pathModifier.optional(),
  port: port.optional(),
  statusCode: z.literal([301, 302, 303, 307, 308]).optional(),
});

const rewrite = z.strictObject({
  hostname: preciseHostname.optional(),
  path: pathModifier.optional(),
});

const requestHeaderModifier = z.strictObject({
  type: z.literal("RequestHeaderModifier"),
  requestHeaderModifier: modifier,
});
const responseHeaderModifier = z.strictObject({
  type: z.literal("ResponseHeaderModifier"),
  responseHeaderModifier: modifier,
});
const requestRedirect = z.strictObject({
  type: z.literal("RequestRedirect"),
  requestRedirect: redirect,
});
const urlRewrite = z.strictObject({ type: z.literal("URLRewrite"), urlRewrite: rewrite });
const extensionRef = z.strictObject({
  type: z.literal("ExtensionRef"),
  extensionRef: z.strictObject({
    group: z.literal(DENIM_GROUP),
    kind: z.literal("FilterBinding"),
    name,
  }),
});

/** A filter of a rule. */
export const routeFilter = z.discriminatedUnion("type", [
  requestHeaderModifier,
  responseHeaderModifier,
  requestRedirect,
  urlRewrite,
  extensionRef,
]);

/** A filter of one backendRef: a redirect there would leave the backend without requests. */
export const backendFilter = z.discriminatedUnion("type", [
  requestHeaderModifier,
  responseHeaderModifier,
  urlRewrite,
  extensionRef,
]);

/** A filter of a GRPCRoute's rule, or of one of its backendRefs. */
export const grpcFilter = z.discriminatedUnion("type", [
  requestHeaderModifier,
  responseHeaderModifier,
  extensionRef,
]);

export type RouteFilter = z.infer<typeof routeFilter>;
export type BackendFilter = z.infer<typeof backendFilter>;
export type PathModifier = z.infer<typeof pathModifier>;
export type HeaderModifier = z.infer<typeof modifier>;

/** Each filter once, except ExtensionRef; a redirect and a rewrite exclude each other. */
export function checkFilters(
  ctx: z.core.ParsePayload<unknown>,
  filters: readonly RouteFilter[],
  path: (string | number)[],
  onlyPrefixMatch: boolean,
): void {
  const seen = new Set<string>();
  filters.forEach((filter, at) => {
    if (filter.type !== "ExtensionRef" && seen.has(filter.type)) {
      problem(ctx, [...path, at], `is a second ${filter.type}; a list may hold one`);
    }
    seen.add(filter.type);
    const change = pathChange(filter);
    if (change?.type === "ReplacePrefixMatch" && !onlyPrefixMatch) {
      problem(
        ctx,
        [...path, at],
        "uses ReplacePrefixMatch, which wants the rule to have exactly one match, of type PathPrefix",
      );
    }
  });
  if (seen.has("RequestRedirect") && seen.has("URLRewrite")) {
    problem(ctx, path, "holds both RequestRedirect and URLRewrite; a request can have only one");
  }
}

function pathChange(filter: RouteFilter): PathModifier | undefined {
  if (filter.type === "RequestRedirect") return filter.requestRedirect.path;
  return filter.type === "URLRewrite" ? filter.urlRewrite.path : undefined;
}
