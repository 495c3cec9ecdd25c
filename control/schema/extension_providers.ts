/** `MeshConfig.spec.extensionProviders`: who may be asked about requests, as Istio writes it. */
import { z } from "zod";
import { duration, durationMs, headerValue, label, name, port, problem, wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const service = z.string().refine(
  isService,
  wanted(
    'a Service with its namespace, such as "authz.security" or "authz.security.svc.cluster.local"',
  ),
);

function isService(text: string): boolean {
  const { namespace, name } = serviceOf(text);
  return label.safeParse(namespace).success && label.safeParse(name).success &&
    hostnameOf(text) === text.replace(/\.svc(\.cluster\.local)?$/, "");
}

function hostnameOf(text: string): string {
  const { namespace, name } = serviceOf(text);
  return `${name}.${namespace}`;
}

/** The Service a provider names. */
export function serviceOf(text: string): { readonly namespace: string; readonly name: string } {
  const [name = "", namespace = ""] = text.split(".");
  return { namespace, name };
}

const timeout = duration.refine(
  (text) => durationMs(text) > 0 && durationMs(text) <= durationMs("1m"),
  wanted("a duration above 0s and up to 1m"),
);

/** Exactly this, or with a `*` at its beginning or its end. */
const names = z.array(
  z.string().regex(
    /^(?=.)\*?[!#$%&'+.^_`|~0-9A-Za-z-]{0,256}\*?$/,
    wanted('a header name, with "*" at its beginning or its end for many'),
  ),
).max(LIMITS.providerHeaders, { error: `holds more than ${LIMITS.providerHeaders} names` });

const common = {
  service,
  port,
  /** Absent: 600ms. */
  timeout: timeout.optional(),
  /** True: where no answer can be had the request passes. */
  failOpen: z.boolean().optional(),
  /** Otherwise it gets this status; absent: 403. */
  statusOnError: z.union([z.string(), z.int()]).transform(Number).refine(
    (status) => Number.isInteger(status) && status >= 400 && status <= 599,
    wanted("a status from 400 to 599"),
  ).optional(),
  includeRequestBodyInCheck: z.strictObject({
    maxRequestBytes: z.int(wanted("a whole number")).min(1, wanted("at least 1"))
      .max(LIMITS.providerBodyBytes, wanted(`at most ${LIMITS.providerBodyBytes}`)),
    /** A longer body is shown as far as it goes; absent: it gets 413. */
    allowPartialMessage: z.boolean().optional(),
    packAsBytes: z.boolean().optional(),
  }).optional(),
};

const http = z.strictObject({
  ...common,
  pathPrefix: z.string().regex(/^\/[\x21-\x7e]{0,255}$/, wanted('a path such as "/check"'))
    .optional(),
  includeRequestHeadersInCheck: names.optional(),
  includeAdditionalHeadersInCheck: z.record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, wanted("a header name")),
    headerValue,
  ).refine((map) => Object.keys(map).length <= LIMITS.providerHeaders, {
    error: `holds more than ${LIMITS.providerHeaders} headers`,
  }).optional(),
  headersToUpstreamOnAllow: names.optional(),
  headersToDownstreamOnAllow: names.optional(),
  /** Absent: all. */
  headersToDownstreamOnDeny: names.optional(),
});

const provider = z.strictObject({
  name,
  envoyExtAuthzHttp: http.optional(),
  envoyExtAuthzGrpc: z.strictObject(common).optional(),
}).check((ctx) => {
  const { envoyExtAuthzHttp, envoyExtAuthzGrpc } = ctx.value;
  if ((envoyExtAuthzHttp === undefined) === (envoyExtAuthzGrpc === undefined)) {
    problem(ctx, [], "wanted either envoyExtAuthzHttp or envoyExtAuthzGrpc");
  }
});

export const extensionProviders = z.array(provider).max(LIMITS.providers, {
  error: `holds more than ${LIMITS.providers} providers`,
}).check((ctx) => {
  const all = ctx.value.map((one) => one.name);
  all.forEach((name, at) => {
    if (all.indexOf(name) < at) problem(ctx, [at, "name"], `is "${name}", which another has`);
  });
});

export type ExtensionProvider = z.infer<typeof provider>;
