import { deepStrictEqual as same, match, strictEqual as equal } from "node:assert/strict";
import { FILTER_LIMITS } from "../../wasm/limits.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";
import { parseDocuments } from "./parse.ts";

type Fields = Record<string, unknown>;

function problems(kind: string, spec: Fields, metadata: Fields = { name: "a" }): string[] {
  const document = { apiVersion: "denim.dev/v1", kind, metadata, spec };
  return parseDocuments([document]).errors.map((error) => `${error.path} ${error.message}`);
}

const PORTS = { ports: [{ port: 80 }] };
const TARGET = { targetRefs: [{ kind: "Service", name: "a" }] };
const MODULE = { module: { name: "acme/tag" } };

const ACCEPTED: [kind: string, what: string, spec: Fields][] = [
  ["Service", "several named ports", {
    ports: [
      { name: "a", port: 1 },
      { name: "b", port: 2, protocol: "HTTP" },
      { port: 3, protocol: "TCP", targetPort: 3000 },
      { port: 4, protocol: "TLS" },
      { port: 5, protocol: "HTTP2" },
      { port: 6, protocol: "GRPC", targetPort: 50051 },
      { port: 7, protocol: "TCP", appProtocol: "kubernetes.io/h2c" },
      { port: 8, appProtocol: "grpc" },
    ],
  }],
  ["Service", "a subset", { ...PORTS, from: "reviews", selector: { version: "v1" } }],
  ["Service", "addresses of all forms", {
    ...PORTS,
    endpoints: ["10.0.0.1:1", "[::1]:80", "db.example:65535"],
  }],
  ["TrafficPolicy", "everything for a Service", {
    ...TARGET,
    timeouts: { request: "2s", backendRequest: "1s" },
    retry: {
      attempts: 2,
      codes: [503],
      on: ["connect-failure", "reset", "status", "timeout", "non-idempotent"],
      backoff: "10ms",
      budget: { percent: 10, interval: "5s", minRetriesPerSecond: 1 },
    },
    circuitBreaker: {
      maxRequests: 1,
      maxPending: 0,
      maxConnections: 1,
      consecutiveFailures: 3,
      openFor: "5s",
    },
    outlierDetection: { consecutive5xx: 0, baseEjection: "1m", maxEjectionPercent: 100 },
    loadBalancer: { algorithm: "least_request" },
  }],
  ["TrafficPolicy", "the load balancers before a Gateway", {
    targetRefs: [{ kind: "Gateway", name: "edge" }],
    proxyProtocol: { trusted: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"], listeners: ["http"] },
  }],
  ["TrafficPolicy", "timeouts of a route", {
    targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "r" }],
    timeouts: { request: "0s" },
  }],
  ["AuthorizationPolicy", "nothing at all, which refuses everything", {}],
  ["AuthorizationPolicy", "everything for everybody", { action: "DENY", rules: [{}] }],
  ["AuthorizationPolicy", "every field", {
    targetRefs: [
      { kind: "Service", name: "a" },
      { kind: "Gateway", name: "g" },
      { kind: "HTTPRoute", name: "h" },
      { kind: "GRPCRoute", name: "r" },
    ],
    action: "DENY",
    dryRun: true,
    rules: [{
      from: [{
        source: {
          principals: ["mesh.local/ns/a/sa/b", "spiffe://x/*", "*/sa/b", "*"],
          notPrincipals: ["*"],
          namespaces: ["a", "team-*"],
          serviceAccounts: ["web", "a/web"],
          notIpBlocks: ["10.0.0.0/8", "::1"],
          remoteIpBlocks: ["192.0.2.1"],
          requestPrincipals: ["https://id.example/*"],
        },
      }],
      to: [{
        operation: {
          hosts: ["*.Example", "a:8443", "[::1]:80"],
          ports: [80, "443"],
          methods: ["GET", "*"],
          paths: ["/", "/a*", "*.css", "/a/{*}/b/{**}", "/%C3%AE;v=1", "*"],
        },
      }],
      when: [
        { key: "request.headers[X-Team]", values: ["a"], notValues: ["b"] },
        { key: "request.auth.claims[a.b][c]", values: ["d"] },
        { key: "request.auth.claims.a.b", notValues: ["d"] },
        { key: "source.ip", values: ["10.0.0.0/8"] },
        { key: "destination.port", values: ["80"] },
      ],
    }],
  }],
  ["FilterBinding", "no target", MODULE],
  ["FilterBinding", "a digest", { module: { digest: `sha256:${"a".repeat(64)}` } }],
  ["FilterBinding", "any JSON as configuration", {
    ...MODULE,
    config: { a: [1, null, { b: "c" }] },
  }],
];

for (const [kind, what, spec] of ACCEPTED) {
  Deno.test(`${kind} accepts ${what}`, () => same(problems(kind, spec), []));
}

const REFUSED: [kind: string, what: string, spec: Fields, problem: RegExp][] = [
  ["Service", "no ports", { ports: [] }, /^spec\.ports is empty/],
  [
    "Service",
    "a protocol it does not carry",
    { ports: [{ port: 1, protocol: "UDP" }] },
    /^spec\.ports\[0\]\.protocol is "UDP", wanted "HTTP", "HTTP2", "GRPC", "TCP" or "TLS"/,
  ],
  [
    "Service",
    "two protocols of one port",
    { ports: [{ port: 1, protocol: "HTTP", appProtocol: "grpc" }] },
    /^spec\.ports\[0\]\.appProtocol is "grpc" beside protocol "HTTP"; say it in one of the two/,
  ],
  [
    "Service",
    "a targetPort beside addresses",
    { ports: [{ port: 1, targetPort: 2 }], endpoints: ["a:1"] },
    /^spec\.ports\[0\]\.targetPort stands beside endpoints/,
  ],
  [
    "Service",
    "a port twice",
    { ports: [{ port: 1 }, { port: 1 }] },
    /^spec\.ports\[1\]\.port is 1, which/,
  ],
  [
    "Service",
    "a name of a port twice",
    { ports: [{ port: 1, name: "a" }, { port: 2, name: "a" }] },
    /^spec\.ports\[1\]\.name/,
  ],
  [
    "Service",
    "port 0",
    { ports: [{ port: 0 }] },
    /^spec\.ports\[0\]\.port is 0, wanted a port from 1/,
  ],
  [
    "Service",
    "addresses beside a selector",
    { ...PORTS, endpoints: ["a:1"], selector: {} },
    /^spec\.endpoints stands beside/,
  ],
  ...["a", "a:0", "a:65536", ":80", "http://a:80", "a:80/x", "a b:80"].map((
    address,
  ): [string, string, Fields, RegExp] => [
    "Service",
    `the address "${address}"`,
    { ...PORTS, endpoints: [address] },
    /^spec\.endpoints\[0\] is ".*", wanted an address such as/,
  ]),
  ["TrafficPolicy", "no target", { targetRefs: [] }, /^spec\.targetRefs is empty/],
  ["TrafficPolicy", "the PROXY protocol of a Service", {
    ...TARGET,
    proxyProtocol: { trusted: ["10.0.0.0/8"] },
  }, /^spec\.proxyProtocol belongs to a Gateway/],
  ...["10.0.0.0/33", "10.0.0/8", "::/129", "fe80::1%eth0", "example", "10.0.0.0/8/8", "10.0.0.0/08"]
    .map((network): [string, string, Fields, RegExp] => [
      "TrafficPolicy",
      `the network ${network}`,
      { targetRefs: [{ kind: "Gateway", name: "a" }], proxyProtocol: { trusted: [network] } },
      /^spec\.proxyProtocol\.trusted\[0\] is ".*", wanted an IP address or network/,
    ]),
  ["TrafficPolicy", "a target of the wrong group", {
    targetRefs: [{ group: "", kind: "Gateway", name: "a" }],
  }, /^spec\.targetRefs\[0\]\.group is "", which has no kind "Gateway"/],
  ["TrafficPolicy", "a breaker for a route", {
    targetRefs: [{ kind: "HTTPRoute", name: "r" }],
    circuitBreaker: {},
  }, /^spec\.circuitBreaker belongs to a Service/],
  ["TrafficPolicy", "an attempt longer than the request", {
    ...TARGET,
    timeouts: { request: "1s", backendRequest: "2s" },
  }, /^spec\.timeouts\.backendRequest is longer/],
  [
    "TrafficPolicy",
    "a budget over 100 percent",
    { ...TARGET, retry: { budget: { percent: 101 } } },
    /^spec\.retry\.budget\.percent is 101, wanted a number from 0 to 100/,
  ],
  [
    "TrafficPolicy",
    "a budget of no interval",
    { ...TARGET, retry: { budget: { interval: "0s" } } },
    /^spec\.retry\.budget\.interval is "0s", wanted a duration above 0s/,
  ],
  [
    "TrafficPolicy",
    "an unknown condition",
    { ...TARGET, retry: { on: ["connect-failures"] } },
    /^spec\.retry\.on\[0\] .*did you mean "connect-failure"/,
  ],
  ["TrafficPolicy", "an unknown algorithm", {
    ...TARGET,
    loadBalancer: { algorithm: "round-robin" },
  }, /^spec\.loadBalancer\.algorithm .*did you mean "round_robin"/],
  [
    "AuthorizationPolicy",
    "an action nobody knows",
    { action: "REJECT" },
    /^spec\.action is "REJECT"/,
  ],
  ["AuthorizationPolicy", "Istio's selector", { selector: {} }, /^spec\.selector is .*targetRefs/],
  ["AuthorizationPolicy", "a DENY that never happens", { action: "DENY" }, /^spec\.rules is empty/],
  ["AuthorizationPolicy", "CUSTOM without a provider", {
    action: "CUSTOM",
    rules: [{}],
  }, /^spec\.provider is missing; CUSTOM asks/],
  ["AuthorizationPolicy", "a provider of an ALLOW", {
    provider: { name: "a" },
  }, /^spec\.provider is only for CUSTOM/],
  ["AuthorizationPolicy", "a dry run of an AUDIT", {
    action: "AUDIT",
    rules: [{}],
    dryRun: true,
  }, /^spec\.dryRun is for ALLOW and DENY/],
  ["AuthorizationPolicy", "a source that says nothing", {
    rules: [{ from: [{ source: {} }] }],
  }, /^spec\.rules\[0\]\.from\[0\]\.source says nothing/],
  ["AuthorizationPolicy", "a condition without values", {
    rules: [{ when: [{ key: "source.ip" }] }],
  }, /^spec\.rules\[0\]\.when\[0\]\.values is missing/],
  ...[
    "source.ips",
    "request.headers[a b]",
    "request.headers[Host]",
    "request.auth.claims",
    "__proto__",
  ]
    .map((key): [string, string, Fields, RegExp] => [
      "AuthorizationPolicy",
      `the key ${key}`,
      { rules: [{ when: [{ key, values: ["a"] }] }] },
      /^spec\.rules\[0\]\.when\[0\]\.key is ".*", wanted one of source\.ip/,
    ]),
  ["AuthorizationPolicy", "a condition with an odd address", {
    rules: [{ when: [{ key: "remote.ip", values: ["10.0.0.1", "10/8"] }] }],
  }, /^spec\.rules\[0\]\.when\[0\]\.values\[1\] is "10\/8", wanted an IP address/],
  ...[
    ["admin", /begins with "\/", or with "\*"/],
    ["/a?b", /without a query/],
    ["/a//b", /normalised first/],
    ["/a/../b", /normalised first/],
    ["/a/.", /normalised first/],
    ["/%61", /no escape that a normalised path has/],
    ["/%c3", /no escape that a normalised path has/],
    ["/%2", /no escape that a normalised path has/],
    ["/a*b", /use \{\*\} for one whole segment/],
    ["/{*}/a*", /mixes "\*" with templates/],
    ["/a{*}", /neither \{\*\}, \{\*\*\} nor plain/],
    ["/{id}", /neither \{\*\}, \{\*\*\} nor plain/],
    ["/{**}/{**}", /more than once/],
    ["/ä", /wanted ASCII/],
  ].map(([path, message]): [string, string, Fields, RegExp] => [
    "AuthorizationPolicy",
    `the path ${path}`,
    { rules: [{ to: [{ operation: { paths: [path] } }] }] },
    message as RegExp,
  ]),
  ...[
    { methods: ["get"] },
    { methods: ["GET PUT"] },
    { ports: [0] },
    { ports: ["http"] },
    { hosts: ["a/b"] },
    { hosts: ["a*b"] },
    { paths: [] },
  ].map((operation): [string, string, Fields, RegExp] => [
    "AuthorizationPolicy",
    `the operation ${JSON.stringify(operation)}`,
    { rules: [{ to: [{ operation }] }] },
    /^spec\.rules\[0\]\.to\[0\]\.operation\.\w+(\[0\])? is /,
  ]),
  ["FilterBinding", "no module", { module: {} }, /^spec\.module names no module/],
  [
    "FilterBinding",
    "two modules",
    { module: { name: "a/b", file: "x" } },
    /^spec\.module names more than one/,
  ],
  [
    "FilterBinding",
    "a version without a name",
    { module: { file: "x", version: "1.0.0" } },
    /^spec\.module\.version wants the name/,
  ],
  [
    "FilterBinding",
    "a name without a publisher",
    { module: { name: "tag" } },
    /^spec\.module\.name is "tag", wanted a listing such as/,
  ],
  [
    "FilterBinding",
    "a version that is none",
    { module: { name: "a/b", version: "latest" } },
    /^spec\.module\.version is "latest"/,
  ],
  [
    "FilterBinding",
    "an unknown capability",
    { ...MODULE, capabilities: ["http-calls"] },
    /^spec\.capabilities\[0\] .*did you mean "http-call"/,
  ],
  [
    "FilterBinding",
    "an unknown phase",
    { ...MODULE, phase: "authz" },
    /^spec\.phase is "authz".*did you mean "AUTHZ"/,
  ],
  [
    "FilterBinding",
    "a fail mode that is none",
    { ...MODULE, failMode: "close" },
    /^spec\.failMode .*did you mean "closed"/,
  ],
];

for (const [kind, what, spec, problem] of REFUSED) {
  Deno.test(`${kind} refuses ${what}`, () => {
    const [first, ...more] = problems(kind, spec);
    match(first!, problem);
    same(more, []);
  });
}

Deno.test("MeshConfig has one place only", () => {
  same(problems("MeshConfig", {}, { name: "default" }), []);
  match(
    problems("MeshConfig", TARGET, { name: "default" })[0]!,
    /^spec\.targetRefs is not a known/,
  );
  match(
    problems("MeshConfig", {}, { name: "other" })[0]!,
    /^metadata\.name is "other", wanted "default"/,
  );
  match(
    problems("MeshConfig", {}, { name: "default", namespace: "default" })[0]!,
    /^metadata\.namespace is "default", wanted "denim-system"/,
  );
});

const names = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, "x"]));

/** Each limit: just fits, and one too much, with the path of the error. */
const LIMITED: [
  limit: keyof typeof LIMITS,
  make: (n: number) => [string, Fields, Fields?],
  path: string,
][] = [
  ["nameChars", (n) => ["TrafficPolicy", TARGET, { name: "a".repeat(n) }], "metadata.name"],
  ["labelChars", (n) => ["Service", PORTS, { name: "a".repeat(n) }], "metadata.name"],
  ["labels", (n) => ["Service", PORTS, { name: "a", labels: names(n) }], "metadata.labels"],
  [
    "servicePorts",
    (n) => ["Service", { ports: Array.from({ length: n }, (_, i) => ({ port: i + 1 })) }],
    "spec.ports",
  ],
  [
    "staticEndpoints",
    (n) => ["Service", { ...PORTS, endpoints: Array(n).fill("a:1") }],
    "spec.endpoints",
  ],
  [
    "trustedNetworks",
    (n) => ["TrafficPolicy", {
      targetRefs: [{ kind: "Gateway", name: "a" }],
      proxyProtocol: { trusted: Array(n).fill("10.0.0.1") },
    }],
    "spec.proxyProtocol.trusted",
  ],
  [
    "targetRefs",
    (n) => ["TrafficPolicy", { targetRefs: Array(n).fill(TARGET.targetRefs[0]) }],
    "spec.targetRefs",
  ],
  [
    "retryAttempts",
    (n) => ["TrafficPolicy", { ...TARGET, retry: { attempts: n } }],
    "spec.retry.attempts",
  ],
  [
    "retryCodes",
    (n) => ["TrafficPolicy", { ...TARGET, retry: { codes: Array(n).fill(500) } }],
    "spec.retry.codes",
  ],
  [
    "filterConfigBytes",
    (n) => ["FilterBinding", { ...MODULE, config: "x".repeat(n - 2) }],
    "spec.config",
  ],
  [
    "capabilities",
    (n) => ["FilterBinding", { ...MODULE, capabilities: Array(n).fill("tick") }],
    "spec.capabilities",
  ],
  [
    "annotationBytes",
    (n) => ["Service", PORTS, { name: "a", annotations: { a: "x".repeat(n - 8) } }],
    "metadata.annotations",
  ],
];

for (const [limit, make, path] of LIMITED) {
  Deno.test(`The limit ${limit} holds`, () => {
    same(problems(...make(LIMITS[limit])), []);
    equal(problems(...make(LIMITS[limit] + 1))[0]?.split(" ")[0], path);
  });
}

Deno.test("The limits parentRefs and headersPerModifier hold", () => {
  const route = (parents: number, headers: number): string[] =>
    parseDocuments([{
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "r" },
      spec: {
        parentRefs: Array.from({ length: parents }, (_, i) => ({ name: `g${i}` })),
        rules: [{
          filters: [{
            type: "RequestHeaderModifier",
            requestHeaderModifier: { remove: Array.from({ length: headers }, (_, i) => `h${i}`) },
          }],
        }],
      },
    }]).errors.map((error) => error.path);
  const { parentRefs, headersPerModifier } = LIMITS;
  same(route(parentRefs, headersPerModifier), []);
  same(route(parentRefs + 1, 1), ["spec.parentRefs"]);
  same(route(1, headersPerModifier + 1), ["spec.rules[0].filters[0].requestHeaderModifier.remove"]);
});

Deno.test("MeshConfig takes a default of authorization and no other word", () => {
  const metadata = { name: "default" };
  same(problems("MeshConfig", { authorization: { default: "deny", dryRun: true } }, metadata), []);
  const [first] = problems("MeshConfig", { authorization: { default: "audit" } }, metadata);
  match(first!, /^spec\.authorization\.default is "audit", wanted one of "allow", "deny"/);
});

for (const [name, { min, max }] of Object.entries(FILTER_LIMITS)) {
  Deno.test(`The limit ${name} of a filter is taken in its range, by bindings and as the mesh's maximum`, () => {
    const places = [
      (n: number) => problems("FilterBinding", { ...MODULE, limits: { [name]: n } }),
      (n: number) =>
        problems("MeshConfig", { filters: { maxLimits: { [name]: n } } }, { name: "default" }),
    ];
    const paths = ["spec.limits", "spec.filters.maxLimits"];
    places.forEach((place, at) => {
      same(place(min), []);
      same(place(max), []);
      for (const wrong of [min - 1, max + 1]) {
        same(place(wrong), [
          `${paths[at]}.${name} is ${wrong}, wanted a whole number from ${min} to ${max}`,
        ]);
      }
    });
  });
}

Deno.test("Permissions of a filter are names with one star at most, header names in lower case", () => {
  const told = (permissions: Fields) => problems("FilterBinding", { ...MODULE, permissions });
  same(
    told({ headers: { read: ["*", "authorization", "x-*", "*-id", ":path"] }, metrics: [] }),
    [],
  );
  match(
    told({ headers: { read: ["a*b"] } })[0]!,
    /^spec\.permissions\.headers\.read\[0\] is "a\*b", wanted a name .* at most one "\*"/,
  );
  match(told({ headers: { write: ["X-A"] } })[0]!, /is "X-A", wanted a header name in lower case/);
  match(told({ keys: [] })[0]!, /^spec\.permissions/);
  const { permissionNames } = LIMITS;
  same(told({ properties: Array(permissionNames).fill("a") }), []);
  match(
    told({ properties: Array(permissionNames + 1).fill("a") })[0]!,
    /^spec\.permissions\.properties holds more than 64 names/,
  );
});
