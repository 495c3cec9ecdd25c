/** Reads what proxies send: authenticated, and still checked field by field, with a limit on everything. */
import { z } from "zod";
import type { FromProxy } from "../schema/protocol.ts";

export const MESSAGE_LIMITS = {
  /** One frame of a connection that has not said hello yet. */
  strangerFrameBytes: 64 * 1024,
  /** One frame of a proxy; its reports are the largest. */
  frameBytes: 4 * 1024 * 1024,
  labels: 64,
  routes: 5000,
  filters: 1000,
  filterRoutes: 64,
  /** Traps in one report, lines of one list of a trap, and characters of a path or a body. */
  traps: 64,
  trapLines: 128,
  trapChars: 8192,
  policies: 5000,
  callers: 1000,
  textChars: 2000,
  tokenChars: 200,
  jwtChars: 16 * 1024,
  csrChars: 8192,
  uriChars: 2048,
  unknownKeys: 64,
} as const;

const text = z.string().max(MESSAGE_LIMITS.textChars);
const short = z.string().max(253);
const count = z.number().finite().nonnegative();
const address = z.string().max(261).regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/);
const labels = z.record(z.string().max(317), z.string().max(63))
  .refine((map) => Object.keys(map).length <= MESSAGE_LIMITS.labels, "too many labels");

const routeReport = z.object({
  listener: short,
  route: text,
  backend: text,
  requests: count,
  errors: count,
  p50Ms: count,
  p99Ms: count,
});

const filterReport = z.object({
  name: text,
  digest: short,
  state: z.enum(["running", "backing-off", "tripped"]),
  calls: count,
  fuel: count,
  us: count,
  memoryBytes: count,
  traps: count,
  // A trap's text may be long; it is for people, who read its beginning.
  lastTrap: z.string().transform((long) => long.slice(0, MESSAGE_LIMITS.textChars)),
  refused: z.string().transform((long) => long.slice(0, MESSAGE_LIMITS.textChars)).optional(),
  exchanges: count.optional(),
  routes: z.array(
    z.object({ route: text, exchanges: count, fuel: count, us: count, traps: count }),
  ).max(MESSAGE_LIMITS.filterRoutes).optional(),
});

const lines = z.array(text).max(MESSAGE_LIMITS.trapLines);
const trapBody = z.object({
  text: z.string().max(MESSAGE_LIMITS.trapChars).optional(),
  base64: z.string().max(MESSAGE_LIMITS.trapChars).optional(),
  bytes: count,
});

const trapReport = z.object({
  id: z.string().regex(/^[0-9a-z]{1,16}-[0-9a-z]{1,16}$/),
  filter: text,
  digest: short,
  atMs: count,
  kind: short,
  text: z.string().transform((long) => long.slice(0, MESSAGE_LIMITS.textChars)),
  entry: text,
  fuelUsed: count,
  fuelLimit: count,
  memoryBytes: count,
  hostCalls: lines,
  route: text,
  backend: text,
  revision: text,
  input: z.object({
    method: text,
    scheme: short,
    authority: text,
    path: z.string().max(MESSAGE_LIMITS.trapChars),
    headers: lines,
    peer: text,
    body: trapBody.optional(),
    response: z.object({ status: count, headers: lines, body: trapBody.optional() }).optional(),
  }).nullable(),
});

const policyReport = z.object({
  name: text,
  refused: count,
  audited: count,
  wouldRefuse: count,
  wouldAllow: count,
});

const ways = z.object({ connections: count, requests: count });

const inboundReport = z.object({
  mode: z.enum(["mesh", "permissive", "none"]),
  mtls: ways,
  plaintext: ways,
  callers: z.array(z.object({
    address: z.string().max(64),
    connections: count,
    requests: count,
    lastMs: count,
  })).max(MESSAGE_LIMITS.callers),
  forgotten: count,
});

const report = z.object({
  version: short.nullable(),
  ready: z.boolean(),
  uptimeMs: count,
  rssBytes: count,
  certExpiresMs: count.nullable(),
  certIssuer: short.optional(),
  appHealthy: z.boolean(),
  routes: z.array(routeReport).max(MESSAGE_LIMITS.routes),
  filters: z.array(filterReport).max(MESSAGE_LIMITS.filters),
  cpuMs: count.optional(),
  traps: z.array(trapReport).max(MESSAGE_LIMITS.traps).optional(),
  policies: z.array(policyReport).max(MESSAGE_LIMITS.policies).optional(),
  unknownKeys: z.array(z.string().max(MESSAGE_LIMITS.uriChars)).max(MESSAGE_LIMITS.unknownKeys)
    .optional(),
  inbound: inboundReport.optional(),
});

// Members this version does not know are left out, so that newer proxies can talk to it.
const fromProxy = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("join"),
    token: z.string().max(MESSAGE_LIMITS.tokenChars),
    csr: z.string().max(MESSAGE_LIMITS.csrChars),
  }),
  z.object({
    type: z.literal("attest"),
    jwt: z.string().max(MESSAGE_LIMITS.jwtChars),
    csr: z.string().max(MESSAGE_LIMITS.csrChars),
  }),
  z.object({ type: z.literal("csr"), csr: z.string().max(MESSAGE_LIMITS.csrChars) }),
  z.object({
    type: z.literal("hello"),
    node: z.object({ kind: z.enum(["sidecar", "gateway"]), namespace: short, name: short }),
    version: short.nullable(),
    inbound: address.nullable(),
    labels,
    admin: text,
    pid: count,
    worker: z.number().int().min(0).max(255).optional(),
    startedMs: count.optional(),
  }),
  z.object({ type: z.literal("ack"), nonce: short, version: short }),
  z.object({
    type: z.literal("nack"),
    nonce: short,
    version: short,
    reason: z.string().transform((long) => long.slice(0, MESSAGE_LIMITS.textChars)),
  }),
  z.object({ type: z.literal("module"), digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) }),
  z.object({ type: z.literal("key"), name: z.string().regex(/^sha256:[0-9a-f]{64}$/) }),
  z.object({ type: z.literal("report"), report }),
  z.object({ type: z.literal("bye") }),
]);

export type Hello = Extract<FromProxy, { type: "hello" }>;

/** The message of a JSON frame, or why it is none. */
export function readMessage(payload: Uint8Array): FromProxy | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return "The frame does not hold JSON";
  }
  const result = fromProxy.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return `The message is not valid at "${issue?.path.join(".") ?? ""}": ${issue?.message ?? ""}`;
}
