import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { parseDocuments } from "../../../control/schema/parse.ts";
import { buildStandalone } from "../../../control/snapshot/mod.ts";
import { Fields } from "../../../core/fields.ts";
import { compileRoutes } from "../../../proxy/routing/mod.ts";
import { GRPC_MATCHING } from "./grpc_cases.ts";
import { MATCHING, type MatchingCase } from "./matching_cases.ts";

const SERVICES = ["a", "b", "c", "d", "e", "f", "g"].map((name) => `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: ${name}}
spec: {ports: [{port: 80}], endpoints: ["127.0.0.1:1"]}
---`).join("");

const HTTP = "[{name: http, port: 80, protocol: HTTP}]";

/** The whole way: YAML, resources, snapshot, matcher. */
function matcherOf(services: string, listeners: string, routes: string) {
  const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: ${listeners}}
---`;
  const { resources, errors } = parseDocuments(services + gateway + routes);
  same(errors, []);
  const snapshot = buildStandalone(resources);
  return compileRoutes(snapshot.listeners[0]!.hosts, (route) => route.backends[0]!.backend);
}

function line(one: MatchingCase): string {
  const headers = (one.headers ?? []).map(([name, value]) => ` ${name}: ${value}`).join("");
  return `${one.method ?? "GET"} ${one.host ?? "any.test"} ${one.request}${headers}`;
}

const GRPC_SERVICES = SERVICES.replaceAll("{port: 80}", "{port: 80, protocol: GRPC}");
const GROUPS = [
  ...MATCHING.map((group) => ({ ...group, services: SERVICES })),
  ...GRPC_MATCHING.map((group) => ({ ...group, services: GRPC_SERVICES })),
];

for (const { clause, listeners, services, routes, cases } of GROUPS) {
  for (const one of cases) {
    Deno.test(`Gateway API ${clause}: ${line(one)} goes to ${one.to}`, () => {
      const matcher = matcherOf(services, listeners ?? HTTP, routes);
      const head = {
        method: one.method ?? "GET",
        scheme: "http",
        authority: one.host ?? "any.test",
        path: one.request,
        fields: new Fields((one.headers ?? []).flat()),
      };
      const backend = matcher.match(head);
      const wanted = one.to === null || one.to === "host" ? null : `default/${one.to}:80`;
      equal(backend, wanted);
      if (wanted === null) equal(matcher.knowsHost(head), one.to !== "host");
    });
  }
}
