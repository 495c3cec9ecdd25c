/** Gateway of the Gateway API v1: the listeners an edge proxy opens. */
import { z } from "zod";
import {
  GATEWAY_API,
  GATEWAY_GROUP,
  hostname,
  label,
  metadata,
  name,
  problem,
  show,
  wanted,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

/** Names of `tls.options`: PEM files of the machine a standalone proxy runs on. */
export const CERTIFICATE_FILE = "denim.dev/certificate-file", KEY_FILE = "denim.dev/key-file";

/** Kinds of routes a listener takes, by its protocol. */
export const ROUTES_OF = {
  HTTP: ["HTTPRoute", "GRPCRoute"],
  HTTPS: ["HTTPRoute", "GRPCRoute"],
  TCP: ["TCPRoute"],
  TLS: ["TLSRoute"],
} as const;

/** The one label a namespace has here; Kubernetes puts it on every one of its own too. */
export const NAMESPACE_NAME = "kubernetes.io/metadata.name";

const namespaceLabel = z.literal(
  NAMESPACE_NAME,
  wanted(`"${NAMESPACE_NAME}", the only label namespaces have here`),
);

/** Namespaces by their names: a label selector as Kubernetes writes it. */
const namespaceSelector = z.strictObject({
  matchLabels: z.strictObject({ [NAMESPACE_NAME]: label }).optional(),
  matchExpressions: z.array(z.strictObject({
    key: namespaceLabel,
    operator: z.enum(["In", "NotIn"], wanted('"In" or "NotIn"')),
    values: z.array(label).min(1, { error: "is empty, wanted at least one namespace" })
      .max(LIMITS.selectedNamespaces, {
        error: `holds more than ${LIMITS.selectedNamespaces} namespaces`,
      }),
  })).min(1, { error: "is empty, wanted at least one expression" })
    .max(LIMITS.namespaceExpressions, {
      error: `holds more than ${LIMITS.namespaceExpressions} expressions`,
    }).optional(),
}).check((ctx) => {
  if (ctx.value.matchLabels !== undefined || ctx.value.matchExpressions !== undefined) return;
  problem(ctx, [], "is empty, which would be every namespace; wanted from: All for that");
});

export type NamespaceSelector = z.infer<typeof namespaceSelector>;

const listener = z.strictObject({
  name,
  /** Port 0 is ours: the proxy takes a free one and says which on its ready line. */
  port: z.int(wanted("a whole number")).min(0, wanted("a port from 0 to 65535"))
    .max(65535, wanted("a port from 0 to 65535")),
  protocol: z.enum(["HTTP", "HTTPS", "TCP", "TLS"], wanted('"HTTP", "HTTPS", "TCP" or "TLS"')),
  hostname: hostname.optional(),
  /** HTTPS: ends here. TLS: the bytes pass through to the backend, which has the certificate. */
  tls: z.strictObject({
    mode: z.enum(["Terminate", "Passthrough"], wanted('"Terminate" or "Passthrough"')).optional(),
    certificateRefs: z.array(z.strictObject({
      group: z.literal("", wanted('"", the core group of Secrets')).optional(),
      kind: z.literal("Secret", wanted('"Secret"')).optional(),
      name,
      namespace: label.optional(),
    })).max(LIMITS.certificateRefs, {
      error: `holds more than ${LIMITS.certificateRefs} references`,
    }).optional(),
    /** Files instead of a Secret, for a standalone proxy. */
    options: z.strictObject({
      [CERTIFICATE_FILE]: z.string().min(1).max(LIMITS.pathChars),
      [KEY_FILE]: z.string().min(1).max(LIMITS.pathChars),
    }).optional(),
  }).optional(),
  allowedRoutes: z.strictObject({
    namespaces: z.strictObject({
      from: z.enum(["All", "Same", "Selector", "None"]).optional(),
      selector: namespaceSelector.optional(),
    }).check((ctx) => {
      const { from = "Same", selector } = ctx.value;
      if (from === "Selector" && selector === undefined) {
        problem(ctx, ["selector"], 'is missing, wanted the namespaces that from "Selector" means');
      }
      if (from !== "Selector" && selector !== undefined) {
        problem(ctx, ["selector"], `stands beside from ${show(from)}; wanted from: Selector`);
      }
    }).optional(),
    kinds: z.array(z.strictObject({
      group: z.literal(GATEWAY_GROUP).optional(),
      kind: z.enum(["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"]),
    })).max(8).optional(),
  }).optional(),
}).check((ctx) => {
  const { protocol, hostname, tls, allowedRoutes } = ctx.value;
  checkTls(ctx, protocol, tls);
  if (protocol === "TCP" && hostname !== undefined) {
    problem(ctx, ["hostname"], "stands beside protocol TCP, whose clients name no host");
  }
  const kinds: readonly string[] = ROUTES_OF[protocol];
  allowedRoutes?.kinds?.forEach(({ kind }, at) => {
    if (kinds.includes(kind)) return;
    problem(
      ctx,
      ["allowedRoutes", "kinds", at, "kind"],
      `is ${show(kind)}; a listener of protocol ${protocol} takes ${kinds.join(" and ")}`,
    );
  });
});

interface Tls {
  readonly mode?: "Terminate" | "Passthrough" | undefined;
  readonly certificateRefs?: readonly unknown[] | undefined;
  readonly options?: object | undefined;
}

/** What stands in `tls` fits the protocol: HTTPS ends here with a certificate, TLS passes through. */
function checkTls(
  ctx: z.core.ParsePayload<unknown>,
  protocol: keyof typeof ROUTES_OF,
  tls: Tls | undefined,
): void {
  const refs = tls?.certificateRefs?.length ?? 0;
  if (protocol === "HTTPS") {
    if (tls?.mode === "Passthrough") {
      problem(ctx, ["tls", "mode"], 'is "Passthrough"; wanted "Terminate", or protocol TLS');
    }
    if (refs === 0 && tls?.options === undefined) {
      const path = tls === undefined ? ["tls"] : ["tls", "certificateRefs"];
      problem(
        ctx,
        path,
        "is missing, wanted a Secret of type kubernetes.io/tls for protocol HTTPS",
      );
    }
    if (refs > 0 && tls?.options !== undefined) {
      problem(ctx, ["tls", "options"], "stands beside certificateRefs; wanted one of them");
    }
    return;
  }
  if (protocol === "TLS" && tls === undefined) {
    problem(ctx, ["tls"], "is missing, wanted {mode: Passthrough} for protocol TLS");
  } else if (protocol === "TLS" && tls?.mode !== "Passthrough") {
    const wanted = 'wanted "Passthrough"; TLS that ends here is protocol HTTPS';
    problem(ctx, ["tls", "mode"], `is ${show(tls?.mode)}, ${wanted}`);
    return;
  }
  if (protocol !== "TLS" && tls !== undefined) {
    const wanted = 'wanted protocol "HTTPS", or "TLS" to pass it through';
    problem(ctx, ["tls"], `stands beside protocol ${show(protocol)}; ${wanted}`);
  }
  if (protocol === "TLS" && (refs > 0 || tls?.options !== undefined)) {
    problem(
      ctx,
      ["tls"],
      "names a certificate, which a listener that passes TLS through has no use for",
    );
  }
}

export const gateway = z.strictObject({
  apiVersion: z.literal(GATEWAY_API),
  kind: z.literal("Gateway"),
  metadata,
  spec: z.strictObject({
    /** Accepted for what Kubernetes manifests carry; every Gateway here is Denim's. */
    gatewayClassName: name.optional(),
    listeners: z.array(listener).min(1, { error: "is empty, wanted at least one listener" })
      .max(LIMITS.listeners, { error: `holds more than ${LIMITS.listeners} listeners` }),
  }).check((ctx) => {
    const names = new Set<string>();
    const places = new Set<string>();
    ctx.value.listeners.forEach((one, at) => {
      if (names.has(one.name)) {
        problem(ctx, ["listeners", at, "name"], `is ${show(one.name)}, which another listener has`);
      }
      names.add(one.name);
      if (one.port === 0) return;
      const other = ctx.value.listeners.find((earlier) => earlier.port === one.port)!;
      if (other.protocol !== one.protocol) {
        return problem(
          ctx,
          ["listeners", at, "port"],
          `is ${one.port}, which listener ${show(other.name)} has for protocol ${other.protocol}`,
        );
      }
      const place = `${one.port}/${one.hostname ?? ""}`;
      if (places.has(place)) {
        problem(
          ctx,
          ["listeners", at],
          `has the port and hostname of another listener; wanted a different port or hostname`,
        );
      }
      places.add(place);
    });
  }),
});

export type Gateway = z.infer<typeof gateway>;
export type GatewayListener = z.infer<typeof listener>;
