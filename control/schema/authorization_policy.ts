/** AuthorizationPolicy: who may do what, decided where the request arrives. */
import { z } from "zod";
import {
  DENIM_API,
  metadata,
  name,
  network,
  problem,
  show,
  targetRefOf,
  wanted,
} from "./common.ts";
import { conditionKey } from "./authorization_keys.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

/** A list of values, any of which will do. An empty one would say nothing, or everything. */
const listOf = <T extends z.ZodType>(value: T) =>
  z.array(value).min(1, { error: "is empty, wanted at least one value, or no such field" })
    .max(LIMITS.policyValues, { error: `holds more than ${LIMITS.policyValues} values` })
    .optional();

/** `*` for anything but nothing, `a*`, `*a`, or exactly this. */
const text = z.string().min(1, wanted('a value, or "*" for any'))
  .max(LIMITS.policyValueChars, wanted(`at most ${LIMITS.policyValueChars} characters`))
  .refine(
    (value) => !value.slice(1, -1).includes("*") && value !== "**",
    wanted('a value with "*" at its beginning or its end, and nowhere else'),
  );

/** A SPIFFE id, with or without `spiffe://`, as Istio writes it. */
const principal = text.refine(
  (value) => value === "*" || /^(spiffe:\/\/)?[a-z0-9._*/-]+$/.test(value),
  wanted('an identity such as "spiffe://mesh.local/ns/default/sa/web"'),
);

const serviceAccount = z.string().regex(
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  wanted('a Service, or "namespace/service"'),
);

const method = text.refine(
  (value) => /^\*?[!#$%&'+.^_`|~0-9A-Za-z-]*\*?$/.test(value) && value === value.toUpperCase(),
  wanted('a method in upper case, such as "GET"'),
);

const host = text.refine(
  (value) => /^[^/\s@?#]+$/.test(value),
  wanted('a host such as "shop.example", "*.example" or "shop.example:8443"'),
);

const path = z.string().min(1, wanted('a path such as "/admin/*"'))
  .max(LIMITS.policyValueChars, wanted(`at most ${LIMITS.policyValueChars} characters`))
  .check((ctx) => {
    const complaint = pathProblem(ctx.value);
    if (complaint !== null) problem(ctx, [], `is ${show(ctx.value)}, ${complaint}`);
  });

/** Requests have one spelling when policies see them: a pattern in another would never match. */
function pathProblem(pattern: string): string | null {
  if (/[?#\\\s]/.test(pattern)) return "wanted a path without a query, a fragment, \\ or spaces";
  if (/[^\x21-\x7e]/.test(pattern)) return "wanted ASCII; write other characters as escapes";
  if (!/^[/*]/.test(pattern)) return 'wanted a path that begins with "/", or with "*"';
  if (pattern.includes("//") || /\/\.{1,2}(\/|$)/.test(pattern)) {
    return "which no request has: paths are normalised first; write it without empty and dot segments";
  }
  for (const [escape] of pattern.matchAll(/%.{0,2}/g)) {
    if (!/^%[0-9A-F]{2}$/.test(escape) || /[A-Za-z0-9._~-]/.test(byteOf(escape))) {
      return `where ${show(escape)} is no escape that a normalised path has ` +
        "(two upper-case digits, and letters, digits, - . _ ~ as themselves)";
    }
  }
  if (!/[{}]/.test(pattern)) return starProblem(pattern);
  if (pattern.includes("*") && /\*/.test(pattern.replaceAll(/\{\*{1,2}\}/g, ""))) {
    return 'which mixes "*" with templates; use {*} for one segment and {**} for the rest';
  }
  for (const segment of pattern.split("/").slice(1)) {
    if (/[{}]/.test(segment) && segment !== "{*}" && segment !== "{**}") {
      return `where the segment ${show(segment)} is neither {*}, {**} nor plain`;
    }
  }
  return pattern.split("{**}").length > 2 ? "which has {**} more than once" : null;
}

function starProblem(pattern: string): string | null {
  return pattern === "**" || pattern.slice(1, -1).includes("*")
    ? 'wanted "*" at its beginning or its end; use {*} for one whole segment'
    : null;
}

function byteOf(escape: string): string {
  return String.fromCharCode(parseInt(escape.slice(1), 16));
}

/** All fields given must hold; of each, one value must. */
const source = z.strictObject({
  principals: listOf(principal),
  notPrincipals: listOf(principal),
  namespaces: listOf(text),
  notNamespaces: listOf(text),
  /** Of the mesh's own trust domain: `service` of the policy's namespace, or `namespace/service`. */
  serviceAccounts: listOf(serviceAccount),
  notServiceAccounts: listOf(serviceAccount),
  /** The other end of the connection. */
  ipBlocks: listOf(network),
  notIpBlocks: listOf(network),
  /** The client that a gateway saw, by x-forwarded-for; else the other end. */
  remoteIpBlocks: listOf(network),
  notRemoteIpBlocks: listOf(network),
  /** `iss/sub` of a verified token. */
  requestPrincipals: listOf(text),
  notRequestPrincipals: listOf(text),
}).check(saysSomething);

const portText = z.union([z.int(), z.string()]).transform(String).refine(
  (value) => /^[1-9][0-9]{0,4}$/.test(value) && Number(value) <= 65535,
  wanted("a port from 1 to 65535"),
);

const operation = z.strictObject({
  hosts: listOf(host),
  notHosts: listOf(host),
  ports: listOf(portText),
  notPorts: listOf(portText),
  methods: listOf(method),
  notMethods: listOf(method),
  paths: listOf(path),
  notPaths: listOf(path),
}).check(saysSomething);

function saysSomething(ctx: z.core.ParsePayload<object>): void {
  if (Object.values(ctx.value).every((one) => one === undefined)) {
    problem(ctx, [], "says nothing; leave it out where everything is meant");
  }
}

const condition = z.strictObject({
  key: conditionKey,
  values: listOf(text),
  notValues: listOf(text),
}).check((ctx) => {
  const { key, values, notValues } = ctx.value;
  if (values === undefined && notValues === undefined) {
    problem(ctx, ["values"], "is missing; wanted values, notValues or both");
  }
  const each = VALUES_OF[key];
  if (each === undefined) return;
  for (const [field, list] of Object.entries({ values, notValues })) {
    list?.forEach((value, at) => {
      const { success, error } = each.safeParse(value);
      if (!success) problem(ctx, [field, at], error.issues[0]!.message);
    });
  }
});

/** Keys whose values have a form of their own. */
const VALUES_OF: Readonly<Record<string, z.ZodType>> = {
  "source.ip": network,
  "remote.ip": network,
  "source.principal": principal,
  "source.serviceAccount": serviceAccount,
  "destination.port": portText,
};

const listUpTo = <T extends z.ZodType>(item: T, most: number, what: string) =>
  z.array(item).min(1, { error: "is empty; leave it out where everything is meant" })
    .max(most, { error: `holds more than ${most} ${what}` }).optional();

/** A request matches that fits one of `from`, one of `to` and all of `when`; what is left out fits. */
const rule = z.strictObject({
  from: listUpTo(z.strictObject({ source }), LIMITS.policySources, "sources"),
  to: listUpTo(z.strictObject({ operation }), LIMITS.policyOperations, "operations"),
  when: listUpTo(condition, LIMITS.policyConditions, "conditions"),
});

export const authorizationPolicy = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("AuthorizationPolicy"),
  metadata,
  spec: z.strictObject({
    /**
     * Service: the inbound traffic of its sidecars. Gateway: every route of its listeners. HTTPRoute and
     * GRPCRoute: its rules, on Gateways. Absent: inbound of every sidecar of the namespace; in
     * `denim-system`, of the mesh.
     */
    targetRefs: z.array(targetRefOf(["Service", "Gateway", "HTTPRoute", "GRPCRoute"]))
      .min(1, { error: "is empty; leave it out for the whole namespace" })
      .max(LIMITS.targetRefs, { error: `holds more than ${LIMITS.targetRefs} targets` }).optional(),
    /** Absent: ALLOW. */
    action: z.enum(["ALLOW", "DENY", "AUDIT", "CUSTOM"]).optional(),
    /** Of CUSTOM: an entry of MeshConfig's extensionProviders. */
    provider: z.strictObject({ name }).optional(),
    /** Absent: nothing matches; `[{}]`: everything does. */
    rules: z.array(rule).max(LIMITS.policyRules, {
      error: `holds more than ${LIMITS.policyRules} rules`,
    }).optional(),
    /** Only counts what it would have changed. */
    dryRun: z.boolean().optional(),
  }).check((ctx) => {
    const { action = "ALLOW", provider, rules = [], dryRun = false } = ctx.value;
    if ((action === "CUSTOM") !== (provider !== undefined)) {
      problem(
        ctx,
        ["provider"],
        action === "CUSTOM"
          ? "is missing; CUSTOM asks a provider of MeshConfig's extensionProviders"
          : `is only for CUSTOM, and the action is ${show(action)}`,
      );
    }
    // An ALLOW that matches nothing refuses everything, which is of use; the others would just sleep.
    if (action !== "ALLOW" && rules.length === 0) {
      problem(
        ctx,
        ["rules"],
        `is empty, so that ${action} never happens; wanted rules, [{}] for all`,
      );
    }
    if (dryRun && (action === "AUDIT" || action === "CUSTOM")) {
      problem(ctx, ["dryRun"], `is for ALLOW and DENY, and the action is ${show(action)}`);
    }
  }),
});

export type AuthorizationPolicy = z.infer<typeof authorizationPolicy>;
export type AuthorizationRule = z.infer<typeof rule>;

/** `MeshConfig.spec.authorization`. */
export const meshAuthorization = z.strictObject({
  /**
   * `deny`: what no ALLOW policy matches is refused, inbound at every sidecar. Gateways are left to their
   * own policies: nobody who comes there has an identity. Absent: `allow`.
   */
  default: z.enum(["allow", "deny"]).optional(),
  /** Only counts what the default would have refused, as policy `(default deny)`. */
  dryRun: z.boolean().optional(),
});
