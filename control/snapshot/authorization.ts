/**
 * AuthorizationPolicies as the proxies of a place are told of them.
 *
 *   no targetRefs  ──▶ inbound of the sidecars of the namespace; of denim-system: of the mesh
 *   Service        ──▶ inbound of its sidecars, whichever of the workload's Services was asked for
 *   Gateway        ──▶ every route of its listeners
 *   HTTPRoute, …   ──▶ its rules on Gateways
 *
 * All that reach a place decide together. Gateways get what names them and nothing else: nobody who comes
 * there has an identity, so that what is said of a mesh's workloads would shut its door.
 */
import type { AuthorizationPolicy, AuthorizationRule } from "../schema/authorization_policy.ts";
import { subjectOf } from "../schema/authorization_keys.ts";
import { fullName } from "../schema/common.ts";
import type { AuthzConfig, AuthzPolicy, AuthzRule, AuthzTest } from "../schema/filter_config.ts";
import { MESH_NAMESPACE } from "../schema/peer_authentication.ts";
import { extAuthzSpec } from "./ext_authz.ts";
import type { FilterLink } from "./filters.ts";
import { compare, type Mesh } from "./mesh.ts";
import type { MadePolicy, Work } from "./work.ts";

/** What a place counts as for rules with ports, and whether it takes bare connections. */
export interface AuthzPlace {
  readonly ports: readonly number[];
  readonly l4: boolean;
}

/** The name of MeshConfig's default in metrics and logs. */
export const DEFAULT_POLICY = "(default deny)";

/** Policies of the inbound listener of a workload that stands behind `services`. */
export function inboundPolicies(
  mesh: Mesh,
  namespace: string,
  services: readonly string[],
): AuthorizationPolicy[] {
  return distinct([
    ...mesh.authorizations("Namespace", MESH_NAMESPACE),
    ...mesh.authorizations("Namespace", namespace),
    ...services.flatMap((service) => mesh.authorizations("Service", service)),
  ]);
}

/** The links of a chain that enforce policies; none where there is nothing to enforce. */
export function inboundAuthz(
  work: Work,
  policies: readonly AuthorizationPolicy[],
  place: AuthzPlace,
): FilterLink[] {
  const { authorization } = work.mesh;
  const refusesAll: AuthzPolicy[] = authorization?.default !== "deny" ? [] : [{
    name: DEFAULT_POLICY,
    action: "ALLOW",
    ...(authorization.dryRun === true ? { dryRun: true } : {}),
    rules: [], // matches nothing: what no other ALLOW matches is refused
  }];
  return authzLinks(work, policies, place, refusesAll);
}

/** Providers are asked first: all of them have to say yes, and then no policy of ours may say no. */
export function authzLinks(
  work: Work,
  policies: readonly AuthorizationPolicy[],
  place: AuthzPlace,
  more: readonly AuthzPolicy[] = [],
): FilterLink[] {
  const asking = Map.groupBy(policies, ({ spec }) => spec.provider?.name);
  const own = asking.get(undefined) ?? [];
  asking.delete(undefined);
  return [
    ...[...asking].sort(([a], [b]) => compare(a!, b!)).flatMap(([provider, custom]) => {
      const { policies, ...at } = configOf(work, custom, place);
      const spec = extAuthzSpec(work, provider!, policies, at);
      return spec === null ? [] : [spec];
    }),
    ...ownLinks(work, configOf(work, own, place, more)),
  ];
}

/** What policies come to in one place. */
function configOf(
  work: Work,
  policies: readonly AuthorizationPolicy[],
  place: AuthzPlace,
  more: readonly AuthzPolicy[] = [],
): AuthzConfig {
  const made = policies.map((policy) => work.shared.authzPolicy(policy, makePolicy));
  const byPort = made.some((one) => one.byPort);
  return {
    trustDomain: work.shared.trust.domain,
    ports: byPort ? [...new Set(place.ports)].sort((a, b) => a - b) : [],
    ...(place.l4 ? { l4: true } : {}),
    policies: [...made.map(({ spec }) => spec), ...more],
  };
}

function ownLinks(work: Work, config: AuthzConfig): FilterLink[] {
  if (config.policies.length === 0) return [];
  return [{
    kind: "authz",
    name: `${work.node.namespace}/${work.node.name}:authz`,
    shared: work.share(config),
  }];
}

function asksForPorts({ to, when }: AuthzRule): boolean {
  return [...to.flat(), ...when].some((test) => test.key === "port");
}

function distinct(policies: readonly AuthorizationPolicy[]): AuthorizationPolicy[] {
  return [...new Set(policies)].sort((a, b) => compare(fullName(a), fullName(b)));
}

function makePolicy(policy: AuthorizationPolicy): MadePolicy {
  const { action = "ALLOW", dryRun = false, rules = [] } = policy.spec;
  const spec: AuthzPolicy = {
    name: fullName(policy),
    // Of CUSTOM only the rules count, by which its provider is asked.
    action: action === "CUSTOM" ? "DENY" : action,
    ...(dryRun ? { dryRun: true } : {}),
    rules: rules.map((rule) => ruleSpec(rule, policy.metadata.namespace)),
  };
  return { spec, byPort: spec.rules.some(asksForPorts) };
}

type Field = readonly [key: AuthzTest["key"], not: boolean];

const SOURCE_FIELDS: Readonly<Record<string, Field>> = {
  principals: ["identity", false],
  notPrincipals: ["identity", true],
  namespaces: ["namespace", false],
  notNamespaces: ["namespace", true],
  serviceAccounts: ["service-account", false],
  notServiceAccounts: ["service-account", true],
  ipBlocks: ["ip", false],
  notIpBlocks: ["ip", true],
  remoteIpBlocks: ["remote-ip", false],
  notRemoteIpBlocks: ["remote-ip", true],
  requestPrincipals: ["request-principal", false],
  notRequestPrincipals: ["request-principal", true],
};

const OPERATION_FIELDS: Readonly<Record<string, Field>> = {
  hosts: ["host", false],
  notHosts: ["host", true],
  ports: ["port", false],
  notPorts: ["port", true],
  methods: ["method", false],
  notMethods: ["method", true],
  paths: ["path", false],
  notPaths: ["path", true],
};

/** `namespace`: the policy's, which names of Services without one are of. */
function ruleSpec(rule: AuthorizationRule, namespace: string): AuthzRule {
  const { from = [], to = [], when = [] } = rule;
  return {
    from: from.map(({ source }) => testsOf(source, SOURCE_FIELDS, namespace)),
    to: to.map(({ operation }) => testsOf(operation, OPERATION_FIELDS, namespace)),
    when: when.flatMap(({ key, values, notValues }) => {
      const subject = subjectOf(key)!; // the schema let no other pass
      return [
        ...(values === undefined
          ? []
          : [{ ...subject, ...valuesOf(subject.key, values, namespace) }]),
        ...(notValues === undefined ? [] : [{
          ...subject,
          not: true as const,
          ...valuesOf(subject.key, notValues, namespace),
        }]),
      ];
    }),
  };
}

function testsOf(
  given: Readonly<Record<string, readonly string[] | undefined>>,
  fields: Readonly<Record<string, Field>>,
  namespace: string,
): AuthzTest[] {
  return Object.entries(fields).flatMap(([field, [key, not]]) => {
    const values = given[field];
    if (values === undefined) return [];
    return [{ key, ...(not ? { not: true as const } : {}), ...valuesOf(key, values, namespace) }];
  });
}

function valuesOf(
  key: AuthzTest["key"],
  values: readonly string[],
  namespace: string,
): { values: string[] } {
  const read = (value: string): string => {
    if (key === "host") return value.toLowerCase();
    if (key === "identity") {
      return value.startsWith("*") || value.startsWith(SPIFFE) ? value : SPIFFE + value;
    }
    return key === "service-account" && !value.includes("/") ? `${namespace}/${value}` : value;
  };
  return { values: values.map(read) };
}

const SPIFFE = "spiffe://";
