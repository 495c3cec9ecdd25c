/**
 * Feeds mutated documents to the parser of resources: it never throws, never hangs, keeps within its limits, and
 * what it accepts always builds.
 */
import process from "node:process";
import { parseDocuments } from "../../control/schema/parse.ts";
import { buildSnapshot, checkReferences } from "../../control/snapshot/mod.ts";
import { compileRoutes } from "../../proxy/routing/mod.ts";
import { pick, type Random, type Target } from "./target.ts";

const SEEDS = [
  `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, labels: {a: b}}
spec:
  parentRefs: [{group: "", kind: Service, name: a}]
  hostnames: [a.example]
  rules:
    - matches: [{path: {type: RegularExpression, value: "/v[0-9]+/(a|b)*"}, headers: [{name: x, value: y}]}]
      timeouts: {request: 10s, backendRequest: 1s}
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}]
      backendRefs: [{name: a, port: 80, weight: 90}]
`,
  `apiVersion: denim.dev/v1
kind: Service
metadata: &m {name: a}
spec: {ports: [{port: 80}], selector: {v: "1"}}
---
apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: *m
spec: {targetRefs: [{kind: Service, name: a}], retry: {attempts: 2}, timeouts: {request: 1s}}
`,
];

/** The longest one input may take. */
const STEP_LIMIT_MS = 2000;
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ": ",
  "- ",
  "&x ",
  "*x",
  "!!binary ",
  "|\n  ",
  "\n---\n",
  "?",
  "'",
  '"',
  "\t",
  "~",
];
const VALUES = [
  "null",
  ".nan",
  "1e999",
  "-0",
  "0x10",
  "__proto__",
  "constructor",
  "\u0000",
  "\ud800",
  "9".repeat(400),
];

function mutated(text: string, random: Random): string {
  for (let rounds = 1 + random(6); rounds > 0; rounds--) {
    const at = random(text.length + 1);
    const list = random(2) === 0 ? PIECES : VALUES;
    switch (random(5)) {
      case 0:
        text = text.slice(0, at) + list[random(list.length)]! + text.slice(at);
        break;
      case 1:
        text = text.slice(0, at) + text.slice(at + random(20));
        break;
      case 2:
        text = text.slice(0, at) + String.fromCharCode(random(0x180)) + text.slice(at + 1);
        break;
      case 3: {
        const from = random(text.length + 1);
        text = text.slice(0, at) + text.slice(from, from + random(80)) + text.slice(at);
        break;
      }
      case 4:
        text = text.slice(0, at) + list[random(list.length)]!.repeat(random(200)) + text.slice(at);
    }
  }
  return text;
}

/** Throws where an expectation is broken. */
function tryOne(text: string): number {
  const before = process.cpuUsage();
  const { resources } = parseDocuments(text);
  checkReferences(resources, []);
  for (const kind of ["sidecar", "gateway"] as const) {
    const node = { kind, namespace: "default", name: "a" };
    const trust = { domain: "t", bundle: [] };
    const snapshot = buildSnapshot({ resources, workloads: [], modules: [], trust, node });
    for (const listener of snapshot.listeners) compileRoutes(listener.hosts, (route) => route.name);
  }
  const ms = process.cpuUsage(before).user / 1000; // a busy machine is no hang
  if (ms > STEP_LIMIT_MS) throw new Error(`One input took ${ms} ms`);
  return resources.length;
}

let accepted = 0;

export const target: Target = {
  generate(random) {
    return new TextEncoder().encode(mutated(pick(SEEDS, random), random));
  },
  attempt(input) {
    if (tryOne(new TextDecoder().decode(input)) > 0) accepted++;
  },
  shallow: (runs) => accepted * 20 < runs ? `${accepted} documents of ${runs} were accepted` : null,
};
