/** FilterBinding: puts a Wasm module into the chains of what it targets. */
import { z } from "zod";
import { DENIM_API, label, metadata, port, problem, targetRefOf, wanted } from "./common.ts";
import { CAPABILITIES, type Capability } from "../../wasm/capabilities.ts";
import { filterPermissions } from "./filter_permissions.ts";
import { filterLimits } from "./filter_limits.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const LISTING = /^[a-z0-9]([-a-z0-9]{0,62})\/[a-z0-9]([-a-z0-9._]{0,126})$/;
const VERSION = /^\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z.-]{1,64})?(\+[0-9A-Za-z.-]{1,64})?$/;

const moduleRef = z.strictObject({
  /** A listing of the marketplace. */
  name: z.string().regex(LISTING, wanted('a listing such as "publisher/name"')).optional(),
  /** Exactly this version; absent: the newest admitted. */
  version: z.string().regex(VERSION, wanted('a version such as "1.2.0"')).optional(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, wanted('a digest: "sha256:" and 64 hex digits'))
    .optional(),
  /** A file beside the configuration; only a standalone proxy, which has no marketplace, reads it. */
  file: z.string().min(1).max(1024).optional(),
}).check((ctx) => {
  const { name, version, digest, file } = ctx.value;
  const given = [name, digest, file].filter((one) => one !== undefined).length;
  if (given !== 1) {
    problem(
      ctx,
      [],
      `names ${given === 0 ? "no" : "more than one"} module, wanted one of name, digest or file`,
    );
  }
  if (version !== undefined && name === undefined) {
    problem(ctx, ["version"], "wants the name of a listing beside it");
  }
});

export const filterBinding = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("FilterBinding"),
  metadata,
  spec: z.strictObject({
    /**
     * Service: the inbound chain of its sidecars. HTTPRoute, GRPCRoute: every rule, wherever the route
     * runs. Gateway: every route of its listeners. None: only where a route names it by ExtensionRef.
     */
    targetRefs: z.array(targetRefOf(["Service", "HTTPRoute", "GRPCRoute", "Gateway"])).max(
      LIMITS.targetRefs,
      {
        error: `holds more than ${LIMITS.targetRefs} targets`,
      },
    ).optional(),
    module: moduleRef,
    /**
     * HTTP (the default), or NETWORK: a module for connections, on ports and listeners that are no HTTP; on
     * others it does nothing.
     */
    type: z.enum(["HTTP", "NETWORK"]).optional(),
    /** Where in the chain; absent: TRANSFORM. */
    phase: z.enum(["AUTHN", "AUTHZ", "TRANSFORM", "STATS"]).optional(),
    /** Higher runs earlier within the phase; absent: 0. */
    priority: z.int(wanted("a whole number")).min(-1000, wanted("a number from -1000 to 1000"))
      .max(1000, wanted("a number from -1000 to 1000")).optional(),
    /** Handed to the module as JSON text; a string is handed over as it is. */
    config: z.json().refine(
      (value) => JSON.stringify(value).length <= LIMITS.filterConfigBytes,
      { error: `is larger than ${LIMITS.filterConfigBytes} bytes as JSON` },
    ).optional(),
    /** What the module is granted; `[]` is nothing. Nothing is granted that is not written here. */
    capabilities: z.array(z.enum(Object.keys(CAPABILITIES) as [Capability, ...Capability[]])).max(
      LIMITS.capabilities,
      { error: `holds more than ${LIMITS.capabilities} names` },
    ).optional(),
    /** Which headers, properties, keys and metrics, within the capabilities. */
    permissions: filterPermissions.optional(),
    /**
     * Services the module may send requests of its own, with the capability http-call or grpc-call.
     * It calls one by `name`, or as `service.namespace:port`, `namespace/service:port`,
     * `service.namespace.svc.cluster.local:port` or Istio's `outbound|port||service.namespace.svc.cluster.local`.
     */
    upstreams: z.array(z.strictObject({
      /** What the module calls it, besides; often written in its code or configuration. */
      name: z.string().regex(
        /^[\x21-\x7e]{1,256}$/,
        wanted("at most 256 printable characters without spaces"),
      ).optional(),
      service: label,
      /** Absent: the binding's own. Another one has to permit it by a ReferenceGrant. */
      namespace: label.optional(),
      port,
    })).max(LIMITS.filterUpstreams, { error: `holds more than ${LIMITS.filterUpstreams} Services` })
      .optional(),
    /**
     * Whose ways hold where hosts of Proxy-Wasm differ: `envoy` (the default) or `higress`, where a pause in
     * a headers callback holds the head and goes on to the body.
     */
    compat: z.enum(["envoy", "higress"]).optional(),
    /** Bindings of a namespace with the same one share data, and find each other's queues by it. */
    vmId: label.optional(),
    /** What it may use: see wasm/limits.ts for each, its default and its range. */
    limits: filterLimits.optional(),
    /** What a trap does: `closed` (the default) answers 503, `open` goes on without the filter. */
    failMode: z.enum(["open", "closed"]).optional(),
  }),
});

export type FilterBinding = z.infer<typeof filterBinding>;
