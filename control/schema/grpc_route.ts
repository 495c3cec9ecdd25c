/** GRPCRoute of the Gateway API v1, with the rules its CRD writes in CEL. */
import { z } from "zod";
import { GATEWAY_API, metadata, name, problem, show, wanted } from "./common.ts";
import { checkFilters, grpcFilter } from "./http_route_filters.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import { checkRoute, hostnames, regexProblem, twice, valueMatch } from "./route_matches.ts";
import { parentRefs, serviceRef } from "./route_refs.ts";

const SERVICE = /^\.?[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*$/;
const METHOD = /^[A-Za-z_][A-Za-z_0-9]*$/;

const part = z.string().max(LIMITS.pathChars, wanted(`at most ${LIMITS.pathChars} characters`));

/** Both are empty or absent for "any", but not both at once. */
const methodMatch = z.strictObject({
  type: z.enum(["Exact", "RegularExpression"]).optional(),
  service: part.optional(),
  method: part.optional(),
}).check((ctx) => {
  const { type = "Exact", service = "", method = "" } = ctx.value;
  if (service === "" && method === "") {
    return problem(ctx, [], "names neither a service nor a method, wanted one of them or both");
  }
  const check = (field: "service" | "method", value: string, exact: RegExp, example: string) => {
    if (value === "") return;
    const wrong = type === "RegularExpression"
      ? regexProblem(value)
      : exact.test(value)
      ? null
      : `is ${show(value)}, wanted a name such as "${example}"`;
    if (wrong !== null) problem(ctx, [field], wrong);
  };
  check("service", service, SERVICE, "shop.v1.Catalog");
  check("method", method, METHOD, "ListBooks");
});

const match = z.strictObject({
  method: methodMatch.optional(),
  headers: z.array(valueMatch(LIMITS.headerValueChars)).max(LIMITS.valueMatches).optional(),
}).check((ctx) => {
  const { headers = [] } = ctx.value;
  twice(ctx, "headers", headers.map((one) => one.name.toLowerCase())); // RFC 9110 5.1
});

const filters = z.array(grpcFilter).max(LIMITS.filtersPerRule).optional();

const rule = z.strictObject({
  name: name.optional(),
  matches: z.array(match).max(LIMITS.matchesPerRule, {
    error: `holds more than ${LIMITS.matchesPerRule} matches`,
  }).optional(),
  filters,
  backendRefs: z.array(z.strictObject({ ...serviceRef, filters })).max(LIMITS.backendRefs, {
    error: `holds more than ${LIMITS.backendRefs} backends`,
  }).optional(),
}).check((ctx) => {
  const { filters = [], backendRefs = [] } = ctx.value;
  checkFilters(ctx, filters, ["filters"], false);
  backendRefs.forEach((ref, at) =>
    checkFilters(ctx, ref.filters ?? [], ["backendRefs", at, "filters"], false)
  );
});

export const grpcRoute = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("GRPCRoute"),
  metadata,
  spec: z.strictObject({
    parentRefs,
    hostnames: hostnames.optional(),
    rules: z.array(rule).max(LIMITS.rules, { error: `holds more than ${LIMITS.rules} rules` })
      .optional(),
  }).check(checkRoute),
});

export type GrpcRoute = z.infer<typeof grpcRoute>;
export type GrpcRouteRule = z.infer<typeof rule>;
export type GrpcRouteMatch = z.infer<typeof match>;
