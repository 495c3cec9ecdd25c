/**
 * Identity on the wire: our own X.509 reader and verification (never the runtime's `authorized`),
 * SPIFFE ids, the node:tls options of a mesh identity, and admission of each connection's peer.
 *
 * @module
 */
export {
  formatWorkloadId,
  isTrustDomain,
  parseSpiffeId,
  parseWorkloadId,
  type SpiffeId,
  type WorkloadId,
} from "./spiffe.ts";
