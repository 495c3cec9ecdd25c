/** A mesh and a marketplace as plain data, with hostile texts where people or publishers may put any. */
import type { PageSource } from "../../control/dashboard/app.tsx";
import type { Listing } from "../../control/market/types.ts";
import type { Overview } from "../../control/dashboard/model.ts";

export const NOW_MS = Date.UTC(2026, 0, 15, 12);
export const HOSTILE = `<img src=x onerror="document.title='owned'">`;

const wave = (level: number): number[] =>
  Array.from({ length: 30 }, (_, n) => Math.max(0, level * (1 + Math.sin(n / 3) / 4)));

const signals = (requestsPerSecond: number, successRate: number | null, p99Ms: number | null) => ({
  requestsPerSecond,
  successRate,
  p50Ms: p99Ms === null ? null : p99Ms / 3,
  p99Ms,
  history: wave(requestsPerSecond),
});

const proxy = (name: string, over: Partial<Overview["proxies"][number]> = {}) => ({
  kind: "sidecar" as const,
  name,
  identity: `spiffe://mesh.local/ns/default/sa/${name}`,
  labels: [] as string[],
  state: "in force" as const,
  version: "8c1f0a77d2b94e10",
  reason: "",
  certExpiresMs: NOW_MS + 22 * 3_600_000,
  rssBytes: 71_300_000,
  uptimeMs: 754_000,
  ...over,
});

export const OVERVIEW: Overview = {
  trustDomain: "mesh.local",
  nowMs: NOW_MS,
  revision: 14,
  totals: signals(412, 0.9987, 9.4),
  services: [
    {
      namespace: "default",
      name: "catalog",
      health: "healthy",
      ready: 1,
      workloads: 1,
      signals: signals(138, 1, 7.1),
    },
    {
      namespace: "default",
      name: "reviews",
      health: "degraded",
      ready: 1,
      workloads: 2,
      signals: signals(138, 0.9962, 12.7),
    },
    {
      namespace: "default",
      name: "web",
      health: "healthy",
      ready: 1,
      workloads: 1,
      signals: signals(138, 1, 9.4),
    },
    {
      namespace: "payments",
      name: "ledger",
      health: "empty",
      ready: 0,
      workloads: 0,
      signals: signals(0, null, null),
    },
  ],
  edges: [
    { from: "edge", to: "web", requestsPerSecond: 138, successRate: 1 },
    { from: "web", to: "catalog", requestsPerSecond: 138, successRate: 1 },
    { from: "catalog", to: "reviews-v1", requestsPerSecond: 124, successRate: 1 },
    { from: "catalog", to: "reviews-v2", requestsPerSecond: 14, successRate: 0.96 },
  ],
  proxies: [
    proxy("edge", { kind: "gateway" }),
    proxy("web"),
    proxy("catalog"),
    proxy("reviews", { labels: ["version=v1"] }),
    proxy("reviews", {
      labels: ["version=v2"],
      state: "refused",
      reason: `filter "default/${HOSTILE}": the module wants 32 MiB of memory, 16 MiB are granted`,
    }),
  ],
  revisions: [
    {
      revision: 14,
      message: `canary to 10 % ${HOSTILE}`,
      author: "admin",
      createdMs: NOW_MS - 95_000,
      changes: ["updated HTTPRoute default/reviews"],
    },
    {
      revision: 13,
      message: "first light",
      author: "admin",
      createdMs: NOW_MS - 900_000,
      changes: [
        "created Gateway default/edge",
        "created Service default/web",
        "created Service default/catalog",
        "created Service default/reviews",
        "created HTTPRoute default/reviews",
        "created HTTPRoute default/web",
      ],
    },
  ],
  filters: [
    {
      binding: "default/shop-headers",
      module: "denim/headers",
      version: "1.0.0",
      state: "running",
      proxies: 1,
      calls: 48_210,
      fuelPerCall: 412,
      usPerCall: 3.6,
      memoryBytes: 131_072,
      traps: 0,
      lastTrap: "",
      refused: "",
    },
    {
      binding: "default/loop-for-ever",
      module: "denim/spin",
      version: "0.1.0",
      state: "tripped",
      proxies: 1,
      calls: 12,
      fuelPerCall: 5_000_000,
      usPerCall: 4_800,
      memoryBytes: 65_536,
      traps: 12,
      lastTrap: "out of fuel after 5000000 in proxy_on_request_headers",
      refused: "",
    },
  ],
};

const hash = (digit: string): string => `sha256:${digit.repeat(64)}`;

const listing = (name: string, over: Partial<Listing>): Listing => ({
  name,
  version: "1.0.0",
  title: "",
  summary: "",
  description: "",
  publisher: name.split("/")[0]!,
  license: "Apache-2.0",
  categories: [],
  links: {},
  signature: { state: "verified", key: "5f2c9a41d0b7e833", statement: "{}", value: "AAAA" },
  language: "assemblyscript",
  abi: "proxy-wasm",
  abiVersion: "proxy-wasm 0.2.1",
  hooks: ["request-headers", "response-headers"],
  capabilities: ["headers"],
  touches: ["reads and changes request headers", "reads and changes response headers"],
  measured: {
    fuelPerCall: 412,
    fuelMean: 380,
    usPerCall: 3.6,
    usPerExchange: 9.1,
    instantiateMs: 0.8,
    memoryBytes: 131_072,
    traps: 0,
  },
  originalBytes: 9_412,
  bytes: 10_230,
  digest: hash("a"),
  originalDigest: hash("b"),
  manifestDigest: hash("c"),
  warnings: [],
  config: "",
  limits: { fuelPerCall: 1_000_000, memoryMiB: 16 },
  phase: "TRANSFORM",
  binding: `apiVersion: denim.dev/v1\nkind: FilterBinding\nmetadata: { name: ${
    name.split("/")[1]
  } }\nspec:\n  module: { name: ${name} }\n`,
  install: `denim filter install ${name}@1.0.0 --to Service/web`,
  admittedMs: NOW_MS - 3_600_000,
  instrumenter: "1",
  ...over,
});

export const LISTINGS: readonly Listing[] = [
  listing("denim/stamp", {
    title: "Stamp",
    summary: "Adds a header that says which filter, in which version, saw the response.",
    description:
      "Small on purpose: the filter to read first.\n\nIt has no configuration but the name.",
    links: { source: "https://example.com/stamp", bad: "javascript:alert(1)" },
  }),
  listing("denim/greeter", {
    title: "Greeter",
    summary: "A TypeScript filter run as a component: greets known callers by name.",
    language: "typescript",
    abi: "component",
    abiVersion: "denim:filter@0.1.0",
    hooks: ["request-headers"],
    touches: ["reads and changes request headers"],
    measured: {
      fuelPerCall: 18_200,
      fuelMean: 16_700,
      usPerCall: 41,
      usPerExchange: 41,
      instantiateMs: 12,
      memoryBytes: 2_228_224,
      traps: 0,
    },
    warnings: ["Runs a JavaScript engine of 1.6 MB in every proxy it is bound in"],
  }),
  listing("acme/guard", {
    title: `Guard ${HOSTILE}`,
    summary: `Answers 403 without a key. ${HOSTILE}`,
    language: "wat",
    hooks: ["request-headers"],
    touches: ["reads request headers", "answers instead of the service"],
    phase: "AUTHZ",
  }),
];

export const SAMPLE: PageSource = {
  overview: () => OVERVIEW,
  listings: () => LISTINGS,
  versions: (name) => {
    const found = LISTINGS.filter((one) => one.name === name);
    return found.flatMap((one) => [one, { ...one, version: "0.9.0", digest: hash("d") }]);
  },
  trustDomain: "mesh.local",
  nowMs: () => NOW_MS,
};
