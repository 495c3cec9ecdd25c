/** SPIFFE ids: `spiffe://<trust domain>/<path>`, parsed strictly and compared as exact strings. */

export interface SpiffeId {
  readonly trustDomain: string;
  /** With its leading slash. */
  readonly path: string;
}

/** A workload as our paths name it: `/ns/<namespace>/sa/<service>`. */
export interface WorkloadId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly service: string;
}

/** The specification allows 2048 bytes for the whole id. */
export const MAX_ID_BYTES = 2048;
export const MAX_TRUST_DOMAIN_BYTES = 255;

const SCHEME = "spiffe://";
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
// Narrower than the specification, which also allows upper case: two ids that differ only in case
// would look alike to people, and the mesh itself only ever issues lower case.
const SEGMENT = /^[a-z0-9._-]+$/;
const DOTS = /^\.{1,2}$/;

export function isTrustDomain(text: string): boolean {
  return text.length <= MAX_TRUST_DOMAIN_BYTES && TRUST_DOMAIN.test(text) && !DOTS.test(text);
}

/**
 * The parts of `text`, or null when it is not a strict SPIFFE id with a path.
 *
 * Nothing is decoded or normalised, so the string that was checked is the string that is compared:
 * NUL, comma, percent, upper case, empty and dot segments, ports, queries and fragments all fail.
 */
export function parseSpiffeId(text: string): SpiffeId | null {
  if (text.length > MAX_ID_BYTES || !text.startsWith(SCHEME)) return null;
  const slash = text.indexOf("/", SCHEME.length);
  if (slash < 0) return null;
  const trustDomain = text.slice(SCHEME.length, slash);
  if (!isTrustDomain(trustDomain)) return null;
  const path = text.slice(slash);
  for (const segment of path.slice(1).split("/")) {
    if (!SEGMENT.test(segment) || DOTS.test(segment)) return null;
  }
  return { trustDomain, path };
}

/** The parts of a workload's id, or null when it is of another form. */
export function parseWorkloadId(text: string): WorkloadId | null {
  const id = parseSpiffeId(text);
  if (id === null) return null;
  const [, ns, namespace, sa, service, ...rest] = id.path.split("/");
  if (ns !== "ns" || sa !== "sa" || rest.length > 0) return null;
  if (namespace === undefined || service === undefined) return null;
  return { trustDomain: id.trustDomain, namespace, service };
}

/** The id of a service's workloads; throws when a part could not stand in an id. */
export function formatWorkloadId(id: WorkloadId): string {
  const text = `${SCHEME}${id.trustDomain}/ns/${id.namespace}/sa/${id.service}`;
  const parsed = parseWorkloadId(text);
  if (
    parsed === null || parsed.trustDomain !== id.trustDomain ||
    parsed.namespace !== id.namespace || parsed.service !== id.service
  ) {
    throw new TypeError(
      `Cannot name workload "${id.namespace}/${id.service}" in trust domain "${id.trustDomain}": ` +
        "each part must be made of a-z, 0-9, '.', '_' and '-' only",
    );
  }
  return text;
}
