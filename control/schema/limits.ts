/** What one document, resource or apply may hold: every limit of the resource model, in one place. */
import { MAX_BODY_BYTES } from "../../filters/ext_authz/config.ts";

export const SCHEMA_LIMITS = {
  /** One YAML document, in UTF-8 bytes; a Kubernetes object may not be larger either. */
  documentBytes: 1024 * 1024,
  /** Everything handed to one parse. */
  inputBytes: 4 * 1024 * 1024,
  documents: 1000,
  /** Nesting of maps and lists. */
  depth: 32,
  /** Maps, lists and scalars of one document. */
  nodes: 50_000,
  /** YAML aliases of one document; more is refused before any is expanded (billion laughs). */
  aliases: 100,
  /** Errors reported of one parse; the rest are only counted. */
  errors: 100,
  nameChars: 253,
  labelChars: 63,
  labels: 64,
  annotationBytes: 256 * 1024,
  hostnames: 16,
  parentRefs: 32,
  rules: 16,
  matchesPerRule: 64,
  matchesPerRoute: 128,
  valueMatches: 16,
  filtersPerRule: 16,
  headersPerModifier: 16,
  backendRefs: 16,
  weight: 1_000_000,
  pathChars: 1024,
  headerValueChars: 4096,
  queryValueChars: 1024,
  listeners: 64,
  certificateRefs: 8,
  /** Names in one expression of a listener's namespace selector, and expressions of it. */
  selectedNamespaces: 64,
  namespaceExpressions: 8,
  /** PEM of a certificate with its chain, and of its key. */
  chainChars: 64 * 1024,
  keyChars: 16 * 1024,
  targetRefs: 16,
  trustedNetworks: 64,
  servicePorts: 64,
  staticEndpoints: 1000,
  grantEntries: 16,
  /** Extension providers of a mesh, header names of one, and what one may be shown of a body. */
  providers: 32,
  providerHeaders: 64,
  providerBodyBytes: MAX_BODY_BYTES,
  retryAttempts: 10,
  retryCodes: 32,
  /** AuthorizationPolicy: rules, and what each may hold. */
  policyRules: 64,
  policySources: 32,
  policyOperations: 32,
  policyConditions: 32,
  policyValues: 256,
  policyValueChars: 2048,
  /** RequestAuthentication: rules, entries of each list of a rule, and the length of one. */
  jwtRules: 16,
  jwtEntries: 32,
  jwtChars: 2048,
  /** Hosts or networks of MeshConfig's jwks. */
  jwksPlaces: 64,
  /** Trust domains of MeshConfig's federation, and PEM certificates of one. */
  federatedDomains: 16,
  pemChars: 64 * 1024,
  capabilities: 32,
  /** Names and patterns in one list of a filter's permissions. */
  permissionNames: 64,
  /** Services one filter may send requests of its own. */
  filterUpstreams: 32,
  /** FilterBinding.spec.config as JSON text. */
  filterConfigBytes: 64 * 1024,
} as const;
