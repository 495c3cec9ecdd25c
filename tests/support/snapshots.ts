/** For tests of `control/snapshot`: routes as text, what is wrong with resources, and what a node is told of them. */
import { deepStrictEqual as same } from "node:assert/strict";
import type { Resource } from "../../control/schema/kinds.ts";
import { parseDocuments } from "../../control/schema/parse.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import { buildSnapshot, checkReferences } from "../../control/snapshot/mod.ts";

export interface RouteMore {
  readonly name?: string;
  readonly version?: string;
  /** Which of them was there first: a day. */
  readonly created?: number;
  readonly hostnames?: string;
}

/** A document that ends in `---`; `parent` and `backends` are insides of YAML's `{}` and `[]`. */
export function routeText(
  kind: string,
  parent: string,
  backends: string,
  { name = "r", version = "v1", created = 1, hostnames }: RouteMore = {},
): string {
  return `
apiVersion: gateway.networking.k8s.io/${version}
kind: ${kind}
metadata: {name: ${name}, creationTimestamp: "2026-01-0${created}T00:00:00Z"}
spec:
  parentRefs: [{${parent}}]
  ${hostnames === undefined ? "" : `hostnames: [${hostnames}]`}
  rules: [{backendRefs: [${backends}]}]
---
`;
}

/** Resources whose text, or documents, are as their schemas want them. */
export function resourcesOf(input: string | readonly unknown[]): Resource[] {
  const { resources, errors } = parseDocuments(input);
  same(errors, []);
  return resources;
}

/** What is wrong with them, each alone or together, as `path message`. */
export function problemsOf(input: string | readonly unknown[], standalone = false): string[] {
  const { resources, errors } = parseDocuments(input);
  return [...errors, ...checkReferences(resources, [], { standalone })]
    .map(({ path, message }) => `${path} ${message}`);
}

/** What a node is told where nothing runs yet. */
export function snapshotOf(resources: readonly Resource[], node: Snapshot["node"]): Snapshot {
  const trust = { domain: "t", bundle: [] };
  return buildSnapshot({ resources, workloads: [], modules: [], trust, node });
}
