/** Service: a name in the mesh, and the workloads or addresses behind it. */
import { z } from "zod";
import { parseSpiffeId } from "../../proxy/tls/spiffe.ts";
import {
  DENIM_API,
  label,
  labels,
  port,
  problem,
  serviceMetadata,
  show,
  wanted,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import type { BackendSpec } from "./snapshot.ts";

/** `10.0.0.1:80`, `[::1]:80` or `db.example:80`. */
export const address = z.string().max(261, wanted("at most 261 characters")).refine(
  isAddress,
  wanted('an address such as "10.0.0.1:8080" or "db.example:8080"'),
);

function isAddress(text: string): boolean {
  const parts = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?):(\d{1,5})$/
    .exec(text);
  if (parts === null) return false;
  const number = Number(parts[3]);
  return number >= 1 && number <= 65535;
}

const servicePort = z.strictObject({
  name: label.optional(),
  port,
  /**
   * HTTP (the default): the workload speaks HTTP/1.1. HTTP2 and GRPC: HTTP/2 in plaintext with prior
   * knowledge. Or what is carried as it is: TCP, or TLS between the client and the workload. A Gateway's
   * TLSRoute leads to TLS and TCP ports, a TCPRoute too, an HTTPRoute or GRPCRoute to all others.
   */
  protocol: z.enum(
    ["HTTP", "HTTP2", "GRPC", "TCP", "TLS"],
    wanted('"HTTP", "HTTP2", "GRPC", "TCP" or "TLS"'),
  ).optional(),
  /** The same as Kubernetes manifests say it, where `protocol` is TCP for all of them. */
  appProtocol: z.enum(
    ["kubernetes.io/h2c", "grpc"],
    wanted('"kubernetes.io/h2c" or "grpc"; others are said with protocol'),
  ).optional(),
  /** Where the workload listens for this port; absent: at the main port its sidecar was told of. */
  targetPort: port.optional(),
}).check((ctx) => {
  const { protocol, appProtocol } = ctx.value;
  if (appProtocol === undefined || protocol === undefined || protocol === "TCP") return;
  if (protocol === APP_PROTOCOLS[appProtocol]) return;
  problem(
    ctx,
    ["appProtocol"],
    `is ${show(appProtocol)} beside protocol ${show(protocol)}; say it in one of the two`,
  );
});

const APP_PROTOCOLS = { "kubernetes.io/h2c": "HTTP2", "grpc": "GRPC" } as const;

function protocolOf({ protocol, appProtocol }: ServicePort): NonNullable<ServicePort["protocol"]> {
  return appProtocol === undefined ? protocol ?? "HTTP" : APP_PROTOCOLS[appProtocol];
}

/** Whether connections to a port are carried as they are, in tunnels. */
export function isTunnelled(one: ServicePort): boolean {
  return wireProtocol(one) === "tcp";
}

/** What the workload speaks at a port, as backends name it; absent: HTTP/1.1. */
export function wireProtocol(one: ServicePort): BackendSpec["protocol"] {
  const protocol = protocolOf(one);
  if (protocol === "HTTP") return undefined;
  return protocol === "TCP" || protocol === "TLS" ? "tcp" : "h2";
}

export type ServicePort = z.infer<typeof servicePort>;

export const service = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("Service"),
  metadata: serviceMetadata,
  spec: z.strictObject({
    ports: z.array(servicePort).min(1, { error: "is empty, wanted at least one port" })
      .max(LIMITS.servicePorts, { error: `holds more than ${LIMITS.servicePorts} ports` }),
    /** The name workloads register under; absent: this Service's own. */
    from: label.optional(),
    /** Only workloads with all these labels; absent: all. */
    selector: labels.optional(),
    /** Fixed addresses outside the mesh, reached in plaintext unless there is an identity. */
    endpoints: z.array(address).max(LIMITS.staticEndpoints, {
      error: `holds more than ${LIMITS.staticEndpoints} addresses`,
    }).optional(),
    /**
     * The SPIFFE id of what is at the fixed addresses, which then are inbound listeners of sidecars, say of a
     * federated trust domain: they are reached with mTLS and have to prove it.
     */
    identity: z.string().refine(
      (text) => parseSpiffeId(text) !== null,
      wanted('a SPIFFE id such as "spiffe://partner.example/ns/default/sa/web"'),
    ).optional(),
  }).check((ctx) => {
    const { ports, endpoints, from, selector, identity } = ctx.value;
    if (identity !== undefined && endpoints === undefined) {
      problem(ctx, ["identity"], "stands without endpoints; workloads of the mesh have their own");
    }
    if (endpoints !== undefined && (from !== undefined || selector !== undefined)) {
      problem(
        ctx,
        ["endpoints"],
        "stands beside from or selector; a Service has fixed addresses or workloads, not both",
      );
    }
    if (endpoints !== undefined) {
      ports.forEach((one, at) => {
        if (one.targetPort === undefined) return;
        problem(
          ctx,
          ["ports", at, "targetPort"],
          "stands beside endpoints, which name their own ports; it is for workloads of the mesh",
        );
      });
    }
    const numbers = ports.map((one) => one.port);
    const names = ports.map((one) => one.name);
    ports.forEach((one, at) => {
      if (numbers.indexOf(one.port) < at) {
        problem(ctx, ["ports", at, "port"], `is ${one.port}, which another port has`);
      }
      if (one.name !== undefined && names.indexOf(one.name) < at) {
        problem(ctx, ["ports", at, "name"], `is ${show(one.name)}, which another port has`);
      }
    });
  }),
});

export type Service = z.infer<typeof service>;
