/** Pieces every kind is made of: names, references, durations, and the words an error is told in. */
import { isIP } from "node:net";
import { z } from "zod";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

export const GATEWAY_API = "gateway.networking.k8s.io/v1";
export const DENIM_API = "denim.dev/v1";
export const GATEWAY_GROUP = "gateway.networking.k8s.io";
export const DENIM_GROUP = "denim.dev";

/** A value as an error shows it: short, and never the bulk of somebody's document. */
export function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  if (typeof value === "string") {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  return String(value);
}

/** An error option that names the value and what was wanted instead. */
export function wanted(what: string): { error: (issue: { input?: unknown }) => string } {
  return { error: (issue) => `is ${show(issue.input)}, wanted ${what}` };
}

/** Adds a problem at `path` below the value a check looks at. */
export function problem(
  ctx: z.core.ParsePayload<unknown>,
  path: (string | number)[],
  message: string,
): void {
  ctx.issues.push({ code: "custom", path, message, input: ctx.value });
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const HOSTNAME = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_|~`]+$/;
const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** RFC 1123 label: namespaces, Services, sections. */
export const label = z.string().max(LIMITS.labelChars, wanted("at most 63 characters"))
  .regex(LABEL, wanted('a lower-case DNS label such as "catalog"'));

/** RFC 1123 subdomain: names of all other resources. */
export const name = z.string().max(LIMITS.nameChars, wanted("at most 253 characters"))
  .regex(SUBDOMAIN, wanted('a lower-case DNS name such as "web-route"'));

/** A host name, or one below `*.`; IP addresses are not host names. */
export const hostname = z.string().min(1).max(LIMITS.nameChars, wanted("at most 253 characters"))
  .regex(HOSTNAME, wanted('a lower-case host name such as "shop.example" or "*.example"'))
  .refine((text) => !IPV4.test(text), wanted("a host name, which an IP address is not"));

/** A host name without `*.`. */
export const preciseHostname = hostname.refine(
  (text) => !text.startsWith("*."),
  wanted("a host name without a wildcard"),
);

/** A header name: an RFC 9110 token; compared without regard to case. */
export const headerName = z.string().min(1).max(256, wanted("at most 256 characters"))
  .regex(TOKEN, wanted("a header name, which holds no spaces or separators"));

/** A header value: visible latin-1, spaces and tabs inside. */
export const headerValue = z.string().max(
  LIMITS.headerValueChars,
  wanted(`at most ${LIMITS.headerValueChars} characters`),
)
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, wanted("a header value without control characters"))
  .refine((text) => text.trim() === text, wanted("a value without white space at its ends"));

export const port = z.int(wanted("a whole number")).min(1, wanted("a port from 1 to 65535"))
  .max(65535, wanted("a port from 1 to 65535"));

/** GEP-2257: `1h30m`, `250ms`, `0s`. */
export const duration = z.string().regex(
  DURATION,
  wanted('a duration such as "10s", "1m30s" or "250ms" (whole numbers with h, m, s or ms)'),
);

/** The milliseconds of a valid duration. */
export function durationMs(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|h|m|s)/g)) {
    total += Number(count) *
      (unit === "h" ? 3_600_000 : unit === "m" ? 60_000 : unit === "s" ? 1000 : 1);
  }
  return total;
}

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. */
export const network = z.string().refine(
  isNetwork,
  wanted('an IP address or network such as "10.0.0.0/8" or "2001:db8::1"'),
);

function isNetwork(text: string): boolean {
  const [ip, prefix, ...more] = text.split("/");
  const family = ip!.includes("%") ? 0 : isIP(ip!);
  if (family === 0 || more.length > 0) return false;
  if (prefix === undefined) return true;
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

export const labels = z.record(
  z.string().max(317, wanted("at most 317 characters")).regex(
    LABEL_KEY,
    wanted('a label name such as "version" or "example.org/team"'),
  ),
  z.string().max(LIMITS.labelChars, wanted("at most 63 characters")).regex(
    LABEL_VALUE,
    wanted("a label value: letters, digits, - _ . and not a number or boolean"),
  ),
).refine((map) => Object.keys(map).length <= LIMITS.labels, {
  error: `holds more than ${LIMITS.labels} labels`,
});

const annotations = z.record(z.string(), z.string()).refine(
  (map) => JSON.stringify(map).length <= LIMITS.annotationBytes,
  { error: `is larger than ${LIMITS.annotationBytes} bytes` },
);

/**
 * Metadata as people write it, plus what the store adds. Members Kubernetes sets (`uid`,
 * `resourceVersion`, `managedFields`, …) are accepted and dropped, so that the output of a `get` can be
 * applied again.
 */
function metadataOf<N extends z.ZodType<string>, S extends z.ZodType<string>>(
  nameSchema: N,
  namespace: S,
) {
  return z.strictObject({
    name: nameSchema,
    namespace,
    labels: labels.optional(),
    annotations: annotations.optional(),
    /** When the resource was first applied (ISO 8601); decides between equals. Set by the store. */
    creationTimestamp: z.string().optional(),
    /** Counts changes of the spec. Set by the store. */
    generation: z.int().optional(),
  });
}

export const metadata = metadataOf(name, label.default("default"));
export const serviceMetadata = metadataOf(label, label.default("default"));
/** A kind of which a mesh has one; its place is fixed. */
export const singletonMetadata = metadataOf(
  z.literal("default", wanted('"default": a mesh has one of this kind')),
  z.literal("denim-system", wanted('"denim-system": a mesh has one of this kind'))
    .default("denim-system"),
);

export type Metadata = z.infer<typeof metadata>;

/** Metadata members that belong to other systems or to the store; parse drops them. */
export const DROPPED_METADATA: readonly string[] = [
  "uid",
  "resourceVersion",
  "managedFields",
  "selfLink",
  "ownerReferences",
  "finalizers",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generateName",
];

/** Groups under which a Service may be named: the core group of Kubernetes, and ours. */
export const serviceGroup = z.enum(["", DENIM_GROUP]);

/** A policy's target, always in the policy's own namespace. */
export function targetRefOf<const K extends readonly string[]>(kinds: K) {
  return z.strictObject({
    group: z.enum(["", GATEWAY_GROUP, DENIM_GROUP]).optional(),
    kind: z.enum(kinds),
    name,
  }).check((ctx) => {
    const { group, kind } = ctx.value as { group?: string; kind: string };
    if (group === undefined) return;
    const right = kind === "Service" ? group !== GATEWAY_GROUP : group === GATEWAY_GROUP;
    if (!right) problem(ctx, ["group"], `is ${show(group)}, which has no kind ${show(kind)}`);
  });
}

/** `namespace/name`, the way a resource is named in snapshots, logs and errors. */
export function fullName(resource: { metadata: { namespace: string; name: string } }): string {
  return `${resource.metadata.namespace}/${resource.metadata.name}`;
}
