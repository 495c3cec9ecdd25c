import { deepStrictEqual as same, match, strictEqual as equal } from "node:assert/strict";
import { parseDocuments } from "../schema/parse.ts";
import { checkReferences, type ReferenceProblem } from "./check.ts";

const BASE = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: catalog}
spec: {ports: [{port: 80}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: many}
spec: {ports: [{port: 80}, {port: 81}], endpoints: ["10.0.0.1:80"]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: far, namespace: other}
spec: {ports: [{port: 80}], endpoints: ["10.0.0.3:80"]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: 8080, protocol: HTTP, hostname: "*.shop.example"}]}
---
`;

const MODULES = [
  { name: "acme/tag", version: "1.0.0", digest: `sha256:${"a".repeat(64)}`, capabilities: [] },
  {
    name: "acme/call",
    configSchema: { type: "object" as const, properties: { limit: { type: "number" as const } } },
    version: "1.0.0",
    digest: `sha256:${"c".repeat(64)}`,
    capabilities: ["headers-read", "http-call"],
    required: ["http-call"],
  },
];

function check(text: string, standalone = false): ReferenceProblem[] {
  const { resources, errors } = parseDocuments(BASE + text);
  same(errors, []);
  return checkReferences(resources, MODULES, { standalone });
}

function route(parent: string, backend: string, more = "", namespace = "default"): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: ${namespace}}
spec:
  parentRefs: [{${parent}}]
  ${more}
  rules: [{backendRefs: [{${backend}}]}]
`;
}

function policy(kind: string, spec: string): string {
  return `
apiVersion: denim.dev/v1
kind: ${kind}
metadata: {name: p}
spec: {${spec}}
`;
}

const REFUSED: [what: string, text: string, path: string, message: RegExp][] = [
  [
    "a backend that does not exist",
    route("name: edge", "name: catalgo"),
    "spec.rules[0].backendRefs[0].name",
    /names Service "default\/catalgo", which does not exist .*did you mean "default\/catalog"\?/,
  ],
  [
    "a backend without the port",
    route("name: edge", "name: catalog, port: 81"),
    "spec.rules[0].backendRefs[0].port",
    /is 81, which Service "default\/catalog" does not have; it has 80/,
  ],
  [
    "a backend of several ports without a port",
    route("name: edge", "name: many"),
    "spec.rules[0].backendRefs[0].port",
    /is missing; Service "default\/many" has several ports: 80, 81/,
  ],
  [
    "a Gateway that does not exist",
    route("name: egde", "name: catalog"),
    "spec.parentRefs[0].name",
    /names Gateway "default\/egde".*did you mean "default\/edge"/,
  ],
  [
    "a section that does not exist",
    route("name: edge, sectionName: https", "name: catalog"),
    "spec.parentRefs[0]",
    /no listener of Gateway "default\/edge", which has http \(port 8080\)/,
  ],
  [
    "a Gateway port that does not exist",
    route("name: edge, port: 1", "name: catalog"),
    "spec.parentRefs[0]",
    /no listener/,
  ],
  [
    "a Gateway that takes no routes from there",
    route("name: edge, namespace: default", "name: catalog", "", "other").replace(/rules: .*/, ""),
    "spec.parentRefs[0]",
    /no routes from namespace "other"/,
  ],
  [
    "host names the Gateway does not have",
    route("name: edge", "name: catalog", "hostnames: [shop.example]"),
    "spec.hostnames",
    /nothing in common .* "\*\.shop\.example"/,
  ],
  [
    "a Service parent that does not exist",
    route('group: "", kind: Service, name: gone', "name: catalog"),
    "spec.parentRefs[0].name",
    /names Service "default\/gone"/,
  ],
  [
    "a port the Service parent does not have",
    route('group: "", kind: Service, name: catalog, port: 9', "name: catalog"),
    "spec.parentRefs[0].port",
    /is 9, which Service/,
  ],
  [
    "a FilterBinding that does not exist",
    route("name: edge", "name: catalog").replace(
      "rules: [{",
      "rules: [{filters: [{type: ExtensionRef, extensionRef: {group: denim.dev, kind: FilterBinding, name: f}}], ",
    ),
    "spec.rules[0].filters[0].extensionRef.name",
    /names FilterBinding "default\/f"/,
  ],
  [
    "a policy target that does not exist",
    policy("TrafficPolicy", "targetRefs: [{kind: HTTPRoute, name: x}], timeouts: {request: 1s}"),
    "spec.targetRefs[0].name",
    /names HTTPRoute "default\/x"/,
  ],
  [
    "a listing nobody admitted",
    policy("FilterBinding", "module: {name: acme/tga}"),
    "spec.module.name",
    /is "acme\/tga", which no admitted filter is called; did you mean "acme\/tag"/,
  ],
  [
    "a version nobody admitted",
    policy("FilterBinding", "module: {name: acme/tag, version: 2.0.0}"),
    "spec.module.version",
    /is "2.0.0", which is not admitted; admitted are 1.0.0/,
  ],
  [
    "a digest nobody admitted",
    policy("FilterBinding", `module: {digest: "sha256:${"b".repeat(64)}"}`),
    "spec.module.digest",
    /which no admitted filter has/,
  ],
  [
    "a filter that is granted nothing by omission",
    policy("FilterBinding", "module: {name: acme/call}"),
    "spec.capabilities",
    /is missing; acme\/call uses headers-read, http-call: list what you grant, or \[\]/,
  ],
  [
    "a module without what it requires",
    policy("FilterBinding", "module: {name: acme/call}, capabilities: [headers-read]"),
    "spec.capabilities",
    /lacks http-call, without which acme\/call does not work/,
  ],
  [
    "a configuration the filter does not take",
    policy(
      "FilterBinding",
      "module: {name: acme/call}, capabilities: [http-call], config: {limit: many}",
    ),
    "spec.config.limit",
    /is "many", wanted a number/,
  ],
  [
    "an upstream that is not there",
    policy(
      "FilterBinding",
      "module: {name: acme/tag}, capabilities: [], upstreams: [{service: nowhere, port: 80}]",
    ),
    "spec.upstreams[0].service",
    /names Service "default\/nowhere", which does not exist/,
  ],
  [
    "an upstream of another namespace without its permission",
    policy(
      "FilterBinding",
      "module: {name: acme/tag}, capabilities: [], upstreams: [{service: far, namespace: other, port: 80}]",
    ),
    "spec.upstreams[0].namespace",
    /is "other", which has no ReferenceGrant for FilterBindings of namespace "default" to Service "far"/,
  ],
  [
    "a file in a mesh",
    policy("FilterBinding", "module: {file: ./a.wasm}"),
    "spec.module.file",
    /standalone proxy only/,
  ],
];

for (const [what, text, path, message] of REFUSED) {
  Deno.test(`checkReferences refuses ${what}`, () => {
    const [problem, ...more] = check(text);
    same(more, []);
    equal(problem?.path, path);
    match(problem.message, message);
    match(problem.resource, /^[A-Za-z]+ [a-z]+\/[a-z]$/);
  });
}

const ACCEPTED: [what: string, text: string][] = [
  ["a route whose backend comes in the same input", route("name: edge", "name: catalog")],
  ["an explicit port", route("name: edge, sectionName: http, port: 8080", "name: many, port: 81")],
  [
    "a host below the Gateway's",
    route("name: edge", "name: catalog", "hostnames: [a.shop.example, x.y]"),
  ],
  ["a Service parent", route('group: "", kind: Service, name: many, port: 81', "name: catalog")],
  [
    "a consumer route over namespaces without a grant",
    route(
      'group: "", kind: Service, name: catalog, namespace: default',
      "name: catalog, namespace: default",
      "",
      "other",
    ),
  ],
  [
    "a listing",
    policy("FilterBinding", "module: {name: acme/tag}, targetRefs: [{kind: Gateway, name: edge}]"),
  ],
];

for (const [what, text] of ACCEPTED) {
  Deno.test(`checkReferences accepts ${what}`, () => same(check(text), []));
}

Deno.test("checkReferences wants a ReferenceGrant for backends of a Gateway's route elsewhere", () => {
  const text = route("name: edge", "name: there, namespace: other") + `---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: there, namespace: other}
spec: {ports: [{port: 80}]}
`;
  const grant = (name: string) =>
    `---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: "", kind: Service, name: ${name}}]
`;
  const [problem] = check(text);
  equal(problem?.path, "spec.rules[0].backendRefs[0].namespace");
  match(
    problem.message,
    /no ReferenceGrant for HTTPRoutes of namespace "default" to Service "there"/,
  );
  equal(check(text + grant("another")).length, 1);
  same(check(text + grant("there")), []);
});

Deno.test("checkReferences wants fixed endpoints and read files of a standalone proxy", () => {
  const problems = check(policy("FilterBinding", "module: {file: ./a.wasm}"), true);
  same(problems.map((one) => `${one.resource} ${one.path}`), [
    "FilterBinding default/p spec.module.file",
    "Service default/catalog spec.endpoints",
  ]);
});

Deno.test("checkReferences reports every problem at once", () => {
  equal(check(route("name: egde", "name: gone")).length, 2);
});

Deno.test("checkReferences takes an upstream of another namespace with its permission", () => {
  const problems = check(`
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: other}
spec:
  from: [{group: denim.dev, kind: FilterBinding, namespace: default}]
  to: [{group: "", kind: Service, name: far}]
---
${
    policy(
      "FilterBinding",
      "module: {name: acme/tag}, capabilities: [], upstreams: [{service: far, namespace: other, port: 80}]",
    )
  }`);
  same(problems, []);
});

Deno.test("checkReferences holds FilterBindings to the mesh's maxima, by field, value and range", () => {
  const problems = check(
    `
apiVersion: denim.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {filters: {maxLimits: {fuelPerRequest: 5000000, memoryMiB: 32}}}
---
${
      policy(
        "FilterBinding",
        "module: {name: acme/tag}, capabilities: [], limits: {fuelPerRequest: 5000001, memoryMiB: 32}",
      )
    }`,
  );
  equal(problems.length, 1);
  equal(problems[0]!.path, "spec.limits.fuelPerRequest");
  match(
    problems[0]!.message,
    /is 5000001, wanted a whole number from 1000 to 5000000, the mesh's maximum \(MeshConfig spec\.filters\.maxLimits\.fuelPerRequest\)/,
  );
});
