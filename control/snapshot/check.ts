/** Whether everything a resource names is there: refused at apply, before anything is stored. */
import { checkConfig, type ConfigSchema } from "../../wasm/config_schema.ts";
import { JwksPlaces } from "../jwks/places.ts";
import { fullName, show } from "../schema/common.ts";
import type { AuthorizationPolicy } from "../schema/authorization_policy.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";
import type { Gateway } from "../schema/gateway.ts";
import { ofKind, type Resource, resourceId } from "../schema/kinds.ts";
import type { PeerAuthentication } from "../schema/peer_authentication.ts";
import type { RequestAuthentication } from "../schema/request_authentication.ts";
import type { TrafficPolicy } from "../schema/traffic_policy.ts";
import { checkRoute } from "./check_routes.ts";
import { missing, type Reason, type Report, suggestion } from "./check_words.ts";
import { checkProviders } from "./ext_authz.ts";
import { checkLimits } from "./filter_limits.ts";
import { checkUpstreams } from "./filter_upstreams.ts";
import { isServiceParent, Mesh } from "./mesh.ts";
import { findModule } from "./modules.ts";

export interface ReferenceProblem {
  /** `HTTPRoute default/web`. */
  readonly resource: string;
  readonly path: string;
  readonly message: string;
  /** For routes: the reason their conditions give. */
  readonly reason?: Reason;
}

export interface KnownModule {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly bytes?: number;
  /** What it was seen to use. */
  readonly capabilities?: readonly string[];
  /** Those it cannot work without. */
  readonly required?: readonly string[];
  /** What its configuration may be. */
  readonly configSchema?: ConfigSchema;
}

/**
 * Checks the references of all resources together: the state as it would be after the apply (or the delete),
 * so that a route and its backend may come in one input and nothing named may be taken away.
 */
export function checkReferences(
  all: readonly Resource[],
  modules: readonly KnownModule[],
  options: { readonly standalone?: boolean } = {},
): ReferenceProblem[] {
  const mesh = new Mesh(all);
  const problems: ReferenceProblem[] = [];
  const reporter = (resource: Resource): Report => (path, message, reason) =>
    void problems.push({
      resource: resourceId(resource),
      path,
      message,
      ...(reason === undefined ? {} : { reason }),
    });
  const routes = [
    ...ofKind(all, "HTTPRoute"),
    ...ofKind(all, "GRPCRoute"),
    ...ofKind(all, "TCPRoute"),
    ...ofKind(all, "TLSRoute"),
  ];
  for (const route of routes) checkRoute(mesh, route, reporter(route));
  for (const gateway of mesh.gateways.values()) {
    checkCertificates(mesh, gateway, options, reporter(gateway));
  }
  const policies = [
    ...ofKind(all, "TrafficPolicy"),
    ...ofKind(all, "FilterBinding"),
    ...ofKind(all, "PeerAuthentication"),
    ...ofKind(all, "RequestAuthentication"),
    ...ofKind(all, "AuthorizationPolicy"),
  ];
  const places = new JwksPlaces(ofKind(all, "MeshConfig")[0]?.spec.jwks);
  for (const one of policies) {
    const report = reporter(one);
    one.spec.targetRefs?.forEach((ref, at) => {
      const name = `${one.metadata.namespace}/${ref.name}`;
      if (!exists(mesh, ref.kind, name)) {
        report(`spec.targetRefs[${at}].name`, missing(ref.kind, name, namesOf(mesh, ref.kind)));
      }
    });
    if (one.kind === "TrafficPolicy") checkListeners(mesh, one, report);
    if (one.kind === "AuthorizationPolicy") checkAuthorization(mesh, one, report);
    if (one.kind === "PeerAuthentication") checkPorts(mesh, one, report);
    if (one.kind === "RequestAuthentication") checkKeys(places, one, options, report);
    if (one.kind === "FilterBinding") {
      checkUpstreams(mesh, one, report);
      checkModule(one.spec, modules, options, report);
      checkLimits(mesh, one, findModule(modules, one.spec.module), report);
    }
  }
  for (const config of ofKind(all, "MeshConfig")) checkProviders(mesh, reporter(config));
  if (options.standalone === true) {
    for (const service of ofKind(all, "Service")) {
      if (service.spec.endpoints !== undefined) continue;
      reporter(service)(
        "spec.endpoints",
        "is missing; a standalone proxy knows fixed addresses only",
      );
    }
  }
  return problems;
}

function checkCertificates(
  mesh: Mesh,
  gateway: Gateway,
  options: { readonly standalone?: boolean },
  report: Report,
): void {
  const from = gateway.metadata.namespace;
  gateway.spec.listeners.forEach(({ tls }, i) => {
    const path = `spec.listeners[${i}].tls`;
    if (tls?.options !== undefined && options.standalone !== true) {
      report(
        `${path}.options`,
        "names files, which a standalone proxy reads only; apply a Secret and name it in certificateRefs",
      );
    }
    tls?.certificateRefs?.forEach((ref, j) => {
      const at = `${path}.certificateRefs[${j}]`;
      const namespace = ref.namespace ?? from;
      const name = `${namespace}/${ref.name}`;
      if (!mesh.secrets.has(name)) {
        report(`${at}.name`, missing("Secret", name, mesh.secrets.keys()));
      } else if (!mesh.granted("Gateway", from, "Secret", namespace, ref.name)) {
        report(
          `${at}.namespace`,
          `is "${namespace}", which has no ReferenceGrant for Gateways of namespace "${from}" ` +
            `to Secret "${ref.name}"`,
        );
      }
    });
  });
}

/** A mode is a sidecar's to enforce, at a port that the Service has. */
function checkPorts(mesh: Mesh, policy: PeerAuthentication, report: Report): void {
  const { targetRefs = [], portLevelMtls = {} } = policy.spec;
  targetRefs.forEach((ref, at) => {
    const service = mesh.services.get(`${policy.metadata.namespace}/${ref.name}`);
    if (service === undefined) return;
    const name = fullName(service);
    if (service.spec.endpoints !== undefined) {
      report(
        `spec.targetRefs[${at}].name`,
        `names Service "${name}", whose fixed addresses have no sidecar that could take mTLS`,
      );
    }
    const ports = service.spec.ports.map(({ port }) => String(port));
    for (const port of Object.keys(portLevelMtls)) {
      if (ports.includes(port)) continue;
      report(
        `spec.portLevelMtls["${port}"]`,
        `is no port of Service "${name}"; it has ${ports.join(", ")}`,
      );
    }
  });
}

/** Every target is a place where somebody enforces it. */
function checkAuthorization(mesh: Mesh, policy: AuthorizationPolicy, report: Report): void {
  const { targetRefs = [], provider } = policy.spec;
  targetRefs.forEach((ref, at) => {
    const name = `${policy.metadata.namespace}/${ref.name}`;
    const path = `spec.targetRefs[${at}].name`;
    if (ref.kind === "Service" && mesh.services.get(name)?.spec.endpoints !== undefined) {
      report(path, `names Service "${name}", whose fixed addresses have no sidecar to enforce it`);
    }
    const route = mesh.routes.find((one) => one.kind === ref.kind && fullName(one) === name);
    if (route !== undefined && route.spec.parentRefs.every(isServiceParent)) {
      report(
        path,
        `names ${ref.kind} "${name}", which runs in the sidecars of callers, where nothing can be ` +
          "enforced; target the Service and say its paths in the policy",
      );
    }
  });
  const known = mesh.providers.map(({ name }) => name);
  if (provider !== undefined && !known.includes(provider.name)) {
    report(
      "spec.provider.name",
      `is ${show(provider.name)}, which no extensionProvider of MeshConfig is called` +
        suggestion(provider.name, known),
    );
  }
}

/** Every listener a policy names is one of every Gateway it targets. */
function checkListeners(mesh: Mesh, policy: TrafficPolicy, report: Report): void {
  policy.spec.proxyProtocol?.listeners?.forEach((listener, at) => {
    for (const ref of policy.spec.targetRefs) {
      const name = `${policy.metadata.namespace}/${ref.name}`;
      const known = mesh.gateways.get(name)?.spec.listeners.map((one) => one.name) ?? [];
      if (known.length === 0 || known.includes(listener)) continue;
      report(
        `spec.proxyProtocol.listeners[${at}]`,
        `is "${listener}", which Gateway "${name}" does not have; it has ${known.join(", ")}`,
      );
    }
  });
}

/** Whether somebody will fetch a rule's keys from where it says. */
function checkKeys(
  places: JwksPlaces,
  { spec }: RequestAuthentication,
  options: { readonly standalone?: boolean },
  report: Report,
): void {
  spec.jwtRules.forEach(({ jwksUri }, at) => {
    if (jwksUri === undefined) return;
    const problem = options.standalone === true
      ? "is fetched by a control plane, which a standalone proxy has not; put the keys into jwks"
      : places.urlProblem(new URL(jwksUri));
    if (problem !== null) report(`spec.jwtRules[${at}].jwksUri`, problem);
  });
}

function checkModule(
  spec: FilterBinding["spec"],
  known: readonly KnownModule[],
  options: { readonly standalone?: boolean },
  report: Report,
): void {
  const { module: ref, capabilities } = spec;
  if (ref.file !== undefined && options.standalone !== true) {
    return report(
      "spec.module.file",
      "is read by a standalone proxy only; push the filter to the control plane and name its listing",
    );
  }
  const found = findModule(known, ref);
  if (found !== null) {
    const uses = found.capabilities ?? [];
    // Left out by mistake far more often than on purpose, and then every call of the filter is refused.
    if (capabilities === undefined && uses.length > 0) {
      const list = uses.join(", ");
      report(
        "spec.capabilities",
        `is missing; ${found.name} uses ${list}: list what you grant, or []`,
      );
    }
    const lacking = found.required?.filter((one) =>
      capabilities !== undefined && !capabilities.some((granted) =>
        granted === one
      )
    ) ?? [];
    if (lacking.length > 0) {
      report(
        "spec.capabilities",
        `lacks ${lacking.join(", ")}, without which ${found.name} does not work`,
      );
    }
    // Absent, the listing's own is used, with which the filter has started at its admission.
    if (found.configSchema !== undefined && spec.config !== undefined) {
      const value = typeof spec.config === "string" ? parsed(spec.config) : spec.config;
      for (const { path, message } of checkConfig(found.configSchema, value)) {
        report(`spec.config${path}`, message);
      }
    }
    return;
  }
  if (ref.digest !== undefined) {
    return report("spec.module.digest", `is ${show(ref.digest)}, which no admitted filter has`);
  }
  if (ref.file !== undefined) {
    return report("spec.module.file", `is ${show(ref.file)}, which was not read`);
  }
  const versions = known.filter((one) => one.name === ref.name).map((one) => one.version);
  if (versions.length > 0) {
    return report(
      "spec.module.version",
      `is ${show(ref.version)}, which is not admitted; admitted are ${versions.join(", ")}`,
    );
  }
  const names = [...new Set(known.map((one) => one.name))];
  report(
    "spec.module.name",
    `is ${show(ref.name)}, which no admitted filter is called` + suggestion(ref.name!, names) +
      (names.length === 0 ? "; no filter is admitted yet" : ""),
  );
}

/** As a filter in TypeScript would read it; what is no JSON stays text, and is refused as that. */
function parsed(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function exists(mesh: Mesh, kind: string, name: string): boolean {
  for (const known of namesOf(mesh, kind)) if (known === name) return true;
  return false;
}

function namesOf(mesh: Mesh, kind: string): Iterable<string> {
  if (kind === "Service") return mesh.services.keys();
  if (kind === "Gateway") return mesh.gateways.keys();
  return mesh.routes.filter((route) => route.kind === kind).map(fullName);
}
