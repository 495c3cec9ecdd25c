/** The filter that asks an extension provider, and the provider's backend beside it. */
import { durationMs } from "../schema/common.ts";
import { type ExtensionProvider, serviceOf } from "../schema/extension_providers.ts";
import type { ExtAuthzConfig, TypedFilterSpec } from "../schema/filter_config.ts";
import { PORT_FIELD } from "../../core/message.ts";
import { type Service, wireProtocol } from "../schema/service.ts";
import { missing, noPort, type Report } from "./check_words.ts";
import { type Mesh, portField } from "./mesh.ts";
import { servicesBehind } from "./peer_modes.ts";
import type { Work } from "./work.ts";

/** What an Envoy of Istio waits by default too. */
export const PROVIDER_TIMEOUT_MS = 600;
const STATUS_ON_ERROR = 403;

/** A provider that is not there any more must not open what it guards: its backend then answers nothing. */
const NO_PROVIDER = "missing-provider";

/**
 * The link of a chain that asks `provider` about requests that one of `policies` matches.
 * Null at the provider itself, which would have to ask itself whether it may be asked.
 */
export function extAuthzSpec(
  work: Work,
  provider: string,
  policies: ExtAuthzConfig["policies"],
  place: ExtAuthzConfig["place"],
): Extract<TypedFilterSpec, { kind: "ext-authz" }> | null {
  const found = work.mesh.providers.find((one) => one.name === provider);
  const settings = found?.envoyExtAuthzGrpc ?? found?.envoyExtAuthzHttp;
  if (settings !== undefined && isOwn(work, settings.service)) return null;
  const { namespace, name } = work.node;
  const {
    timeout,
    failOpen = false,
    statusOnError = STATUS_ON_ERROR,
    includeRequestBodyInCheck: body,
  } = settings ?? {};
  const link = { kind: "ext-authz" as const, name: `${namespace}/${name}:ext-authz:${provider}` };
  const config: ExtAuthzConfig = {
    provider,
    policies: policies.map(({ name, rules }) => ({ name, rules })),
    place,
    ...placeOf(work, settings),
    timeoutMs: timeout === undefined ? PROVIDER_TIMEOUT_MS : durationMs(timeout),
    failOpen: settings !== undefined && failOpen,
    statusOnError,
    ...(body === undefined ? {} : {
      body: {
        maxBytes: body.maxRequestBytes,
        allowPartial: body.allowPartialMessage ?? false,
        packAsBytes: body.packAsBytes ?? false,
      },
    }),
    destination: {
      principal: `spiffe://${work.shared.trust.domain}/ns/${namespace}/sa/${name}`,
      service: `${namespace}/${name}`,
    },
  };
  const http = found?.envoyExtAuthzHttp;
  if (http === undefined) return { ...link, config };
  const more = Object.entries(http.includeAdditionalHeadersInCheck ?? {})
    .map(([name, value]) => ({ name: name.toLowerCase(), value }));
  return {
    ...link,
    config: { ...config, fields: [...more, ...config.fields], http: httpOf(http) },
  };
}

function httpOf(
  http: NonNullable<ExtensionProvider["envoyExtAuthzHttp"]>,
): NonNullable<ExtAuthzConfig["http"]> {
  const lower = (names: readonly string[] = []) => names.map((name) => name.toLowerCase());
  const { headersToDownstreamOnDeny: onDeny } = http;
  return {
    pathPrefix: http.pathPrefix ?? "",
    include: lower(http.includeRequestHeadersInCheck),
    toUpstream: lower(http.headersToUpstreamOnAllow),
    toClientOnAllow: lower(http.headersToDownstreamOnAllow),
    ...(onDeny === undefined ? {} : { toClientOnDeny: lower(onDeny) }),
  };
}

function placeOf(
  work: Work,
  settings: { readonly service: string; readonly port: number } | undefined,
): Pick<ExtAuthzConfig, "backend" | "fields"> {
  if (settings === undefined) return { backend: NO_PROVIDER, fields: [] };
  const service = providerService(work.mesh, settings.service);
  const port = service?.spec.ports.find((one) => one.port === settings.port);
  if (service === undefined || port === undefined) return { backend: NO_PROVIDER, fields: [] };
  const backend = work.backend(service, port.port);
  const value = portField(service, port);
  return { backend, fields: value === null ? [] : [{ name: PORT_FIELD, value }] };
}

function isOwn(work: Work, provider: string): boolean {
  const { node, nodeLabels, mesh } = work;
  if (node.kind !== "sidecar") return false;
  const { namespace, name } = serviceOf(provider);
  const behind = { namespace: node.namespace, name: node.name, labels: nodeLabels };
  return servicesBehind(mesh, behind).includes(`${namespace}/${name}`);
}

function providerService(mesh: Mesh, provider: string): Service | undefined {
  const { namespace, name } = serviceOf(provider);
  return mesh.services.get(`${namespace}/${name}`);
}

/** Whether the Services of a mesh's providers are there, and speak what they are asked in. */
export function checkProviders(mesh: Mesh, report: Report): void {
  mesh.providers.forEach((provider, at) => {
    const kind = provider.envoyExtAuthzGrpc === undefined
      ? "envoyExtAuthzHttp" as const
      : "envoyExtAuthzGrpc" as const;
    const { service: host, port } = provider[kind]!;
    const path = `spec.extensionProviders[${at}].${kind}`;
    const service = providerService(mesh, host);
    if (service === undefined) {
      const { namespace, name } = serviceOf(host);
      const known = mesh.services.keys();
      return report(`${path}.service`, missing("Service", `${namespace}/${name}`, known));
    }
    const found = service.spec.ports.find((one) => one.port === port);
    if (found === undefined) {
      const ports = service.spec.ports.map((one) => one.port);
      return report(`${path}.port`, noPort(host, port, ports));
    }
    const spoken = wireProtocol(found);
    if (kind === "envoyExtAuthzGrpc" && spoken !== "h2") {
      report(`${path}.port`, `is ${port}, whose protocol is not GRPC`);
    } else if (kind === "envoyExtAuthzHttp" && spoken === "tcp") {
      report(`${path}.port`, `is ${port}, whose protocol is not HTTP`);
    }
  });
}
