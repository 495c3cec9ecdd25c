/** The names that proxies may have: `namespace/name` of a Service or a Gateway. */

/** Of no proxy: the control plane has a name there. */
export const RESERVED_NAMESPACE = "denim-system";
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function isWorkloadName(namespace: string, service: string): boolean {
  return LABEL.test(namespace) && NAME.test(service);
}
