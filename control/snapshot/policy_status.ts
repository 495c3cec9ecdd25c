/**
 * Where an AuthorizationPolicy holds, and what of it can never match there. Computed from the resources when
 * it is asked for, as {@link routeStatus} is.
 */
import type { AuthorizationPolicy } from "../schema/authorization_policy.ts";
import { subjectOf } from "../schema/authorization_keys.ts";
import { fullName } from "../schema/common.ts";
import { MESH_NAMESPACE } from "../schema/peer_authentication.ts";
import type { PolicyReport } from "../schema/protocol.ts";
import { isTunnelled } from "../schema/service.ts";
import type { Mesh } from "./mesh.ts";

/** True where a rule asks for what is not known of a bare connection. */
export const PARTIAL_CONDITION = "denim.dev/PartlyEnforced";

export interface PolicyCondition {
  readonly type: "Accepted" | typeof PARTIAL_CONDITION;
  readonly status: "True" | "False";
  readonly reason: "Accepted" | "Enforced" | "HttpRuleOnTcp";
  readonly message: string;
  readonly observedGeneration?: number;
}

/** What proxies counted since they started, all of them together. */
export type PolicyCounts = Omit<PolicyReport, "name">;

export interface PolicyStatus {
  readonly conditions: readonly PolicyCondition[];
  readonly counts: PolicyCounts;
}

export function policyStatus(
  mesh: Mesh,
  policy: AuthorizationPolicy,
  counts: PolicyCounts,
): PolicyStatus {
  const { generation } = policy.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const conditions: PolicyCondition[] = [
    { type: "Accepted", status: "True", reason: "Accepted", message: placesText(policy) },
    partial(mesh, policy),
  ];
  return { conditions: conditions.map((one) => ({ ...one, ...observed })), counts };
}

function placesText(policy: AuthorizationPolicy): string {
  const { metadata: { namespace }, spec: { targetRefs } } = policy;
  if (targetRefs !== undefined) {
    return `Holds at ${
      targetRefs.map(({ kind, name }) => `${kind} "${namespace}/${name}"`).join(", ")
    }`;
  }
  return namespace === MESH_NAMESPACE
    ? "Holds inbound at every sidecar of the mesh"
    : `Holds inbound at every sidecar of namespace "${namespace}"`;
}

function partial(mesh: Mesh, policy: AuthorizationPolicy): PolicyCondition {
  const type = PARTIAL_CONDITION;
  const rules = (policy.spec.rules ?? []).flatMap((rule, at) =>
    asksHttp(rule) ? [`rules[${at}]`] : []
  );
  const ports = rules.length === 0 ? [] : barePorts(mesh, policy);
  if (ports.length === 0) return { type, status: "False", reason: "Enforced", message: "" };
  const effect = (policy.spec.action ?? "ALLOW") === "ALLOW"
    ? "never allow anything"
    : "go by identities, addresses and ports alone";
  return {
    type,
    status: "True",
    reason: "HttpRuleOnTcp",
    message:
      `At ${ports.join(", ")}, where connections are carried as they are, ${rules.join(", ")} ` +
      `${effect}: hosts, methods, paths, headers and tokens are not known there`,
  };
}

/** Ports of protocol TCP and TLS that the policy holds at. */
function barePorts(mesh: Mesh, policy: AuthorizationPolicy): string[] {
  const { metadata: { namespace }, spec: { targetRefs } } = policy;
  const services = [...mesh.services.values()].filter((service) => {
    if (service.spec.endpoints !== undefined) return false;
    if (targetRefs === undefined) {
      return namespace === MESH_NAMESPACE || namespace === service.metadata.namespace;
    }
    return targetRefs.some(({ kind, name }) =>
      kind === "Service" && `${namespace}/${name}` === fullName(service)
    );
  });
  const ofServices = services.flatMap((service) =>
    service.spec.ports.filter(isTunnelled).map(({ port }) => `Service ${fullName(service)}:${port}`)
  );
  const ofGateways = (targetRefs ?? []).flatMap(({ kind, name }) => {
    const gateway = kind === "Gateway" ? mesh.gateways.get(`${namespace}/${name}`) : undefined;
    return gateway?.spec.listeners.filter(({ protocol }) =>
      protocol === "TCP" || protocol === "TLS"
    )
      .map((one) => `listener ${one.name} of Gateway ${fullName(gateway)}`) ?? [];
  });
  return [...ofServices, ...ofGateways].sort();
}

type Rule = NonNullable<AuthorizationPolicy["spec"]["rules"]>[number];

function asksHttp({ from = [], to = [], when = [] }: Rule): boolean {
  const principals = from.some(({ source }) =>
    source.requestPrincipals !== undefined || source.notRequestPrincipals !== undefined
  );
  const operations = to.some(({ operation }) =>
    Object.entries(operation).some(([field, value]) => value !== undefined && !/ports/i.test(field))
  );
  const conditions = when.some(({ key }) =>
    ["header", "claim", "request-principal", "audience", "presenter"].includes(subjectOf(key)!.key)
  );
  return principals || operations || conditions;
}
