/** HTTPRoute of the Gateway API v1, with the rules its CRD writes in CEL. */
import { z } from "zod";
import {
  duration,
  durationMs,
  GATEWAY_API,
  metadata,
  name,
  problem,
  show,
  wanted,
} from "./common.ts";
import { backendFilter, checkFilters, routeFilter } from "./http_route_filters.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import { checkRoute, hostnames, regexProblem, twice, valueMatch } from "./route_matches.ts";
import { parentRefs, serviceRef } from "./route_refs.ts";

const pathMatch = z.strictObject({
  type: z.enum(["Exact", "PathPrefix", "RegularExpression"]).optional(),
  value: z.string().min(1, wanted('a path that starts with "/"'))
    .max(LIMITS.pathChars, wanted(`at most ${LIMITS.pathChars} characters`)).optional(),
}).check((ctx) => {
  const { type = "PathPrefix", value = "/" } = ctx.value;
  const wrong = type === "RegularExpression" ? regexProblem(value) : pathProblem(value);
  if (wrong !== null) problem(ctx, ["value"], wrong);
});

/** What no path of a route may hold, since no normalised request path holds it. */
function pathProblem(value: string): string | null {
  const said = `is ${show(value)}, `;
  if (!value.startsWith("/")) return `${said}wanted a path that starts with "/"`;
  for (const part of ["//", "/./", "/../", "%2f", "%2F", "#"]) {
    if (value.includes(part)) {
      return `${said}which holds "${part}"; no normalised path does, so it could never match`;
    }
  }
  for (const end of ["/..", "/."]) {
    if (value.endsWith(end)) {
      return `${said}which ends in "${end}"; no normalised path does, so it could never match`;
    }
  }
  if (!/^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+$/.test(value)) {
    return `${said}wanted path characters only, others percent-encoded`;
  }
  return null;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

const match = z.strictObject({
  path: pathMatch.optional(),
  headers: z.array(valueMatch(LIMITS.headerValueChars)).max(LIMITS.valueMatches).optional(),
  queryParams: z.array(valueMatch(LIMITS.queryValueChars)).max(LIMITS.valueMatches).optional(),
  method: z.enum(METHODS).optional(),
}).check((ctx) => {
  const { headers = [], queryParams = [] } = ctx.value;
  twice(ctx, "headers", headers.map((one) => one.name.toLowerCase())); // RFC 9110 5.1
  twice(ctx, "queryParams", queryParams.map((one) => one.name));
});

const backendRef = z.strictObject({
  ...serviceRef,
  filters: z.array(backendFilter).max(LIMITS.filtersPerRule).optional(),
});

const retry = z.strictObject({
  attempts: z.int(wanted("a whole number")).min(1, wanted(`1 to ${LIMITS.retryAttempts} retries`))
    .max(LIMITS.retryAttempts, wanted(`1 to ${LIMITS.retryAttempts} retries`)).optional(),
  codes: z.array(
    z.int(wanted("a status from 400 to 599")).min(400, wanted("a status from 400 to 599"))
      .max(599, wanted("a status from 400 to 599")),
  ).max(LIMITS.retryCodes).optional(),
  backoff: duration.optional(),
});

const rule = z.strictObject({
  name: name.optional(),
  matches: z.array(match).max(LIMITS.matchesPerRule, {
    error: `holds more than ${LIMITS.matchesPerRule} matches`,
  }).optional(),
  filters: z.array(routeFilter).max(LIMITS.filtersPerRule).optional(),
  backendRefs: z.array(backendRef).max(LIMITS.backendRefs, {
    error: `holds more than ${LIMITS.backendRefs} backends`,
  }).optional(),
  timeouts: z.strictObject({
    request: duration.optional(),
    backendRequest: duration.optional(),
  }).check((ctx) => {
    const request = durationMs(ctx.value.request ?? "0s");
    if (request > 0 && durationMs(ctx.value.backendRequest ?? "0s") > request) {
      problem(ctx, ["backendRequest"], "is longer than request, which covers all attempts");
    }
  }).optional(),
  retry: retry.optional(),
}).check((ctx) => {
  const { filters = [], backendRefs = [], matches = [] } = ctx.value;
  const only = matches.length === 0 ||
    (matches.length === 1 && (matches[0]!.path?.type ?? "PathPrefix") === "PathPrefix");
  checkFilters(ctx, filters, ["filters"], only);
  backendRefs.forEach((ref, at) =>
    checkFilters(ctx, ref.filters ?? [], ["backendRefs", at, "filters"], only)
  );
  if (backendRefs.length > 0 && filters.some((filter) => filter.type === "RequestRedirect")) {
    problem(
      ctx,
      ["backendRefs"],
      "stands beside a RequestRedirect, which answers by itself; drop one",
    );
  }
});

export const httpRoute = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("HTTPRoute"),
  metadata,
  spec: z.strictObject({
    parentRefs,
    hostnames: hostnames.optional(),
    rules: z.array(rule).min(1, { error: "is empty, wanted at least one rule, or no rules field" })
      .max(LIMITS.rules, { error: `holds more than ${LIMITS.rules} rules` }).optional(),
  }).check(checkRoute),
});

export type HttpRoute = z.infer<typeof httpRoute>;
export type HttpRouteRule = z.infer<typeof rule>;
export type HttpRouteMatch = z.infer<typeof match>;
export type BackendRef = z.infer<typeof backendRef>;
