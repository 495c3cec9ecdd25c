/** HTTPS listeners: what a gateway is told of certificates, and what is refused before. */
import { deepStrictEqual as same, ok } from "node:assert/strict";
import { TestDomain } from "../../tests/support/ca.ts";
import { problemsOf, resourcesOf, snapshotOf } from "../../tests/support/snapshots.ts";
import { tlsSecret } from "../../tests/support/tls.ts";
import { parseDocuments } from "../schema/parse.ts";

const domain = new TestDomain();
const [a, b] = ["a.test", "b.test"].map((name) =>
  domain.issue("x", { uris: [], dnsNames: [name] })
);

interface Listener {
  readonly name: string;
  readonly port?: number;
  readonly hostname?: string;
  readonly refs: readonly { name: string; namespace?: string }[];
}

function gateway(...listeners: Listener[]): unknown {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: {
      listeners: listeners.map(({ name, port = 443, hostname, refs }) => ({
        name,
        port,
        protocol: "HTTPS",
        ...(hostname === undefined ? {} : { hostname }),
        tls: { certificateRefs: refs },
      })),
    },
  };
}

Deno.test("A gateway is told all certificates of a port, each with its host name, and no key", () => {
  const resources = [
    gateway(
      { name: "a", hostname: "a.test", refs: [{ name: "a" }, { name: "b" }] },
      { name: "all", refs: [{ name: "b" }] },
      { name: "other", port: 8443, hostname: "a.test", refs: [{ name: "a" }] },
    ),
    tlsSecret("a", a!),
    tlsSecret("b", b!),
  ];
  same(problemsOf(resources), []);
  const node = { kind: "gateway", namespace: "default", name: "edge" } as const;
  const snapshot = snapshotOf(resourcesOf(resources), node);
  same(
    snapshot.listeners.map(({ name, tls, certificates }) => [
      name,
      tls,
      certificates!.map((one) => [one.name, one.hostnames]),
    ]),
    [
      ["a", "edge", [
        ["default/a", ["a.test"]],
        ["default/b", ["a.test"]],
        ["default/b", ["*"]],
      ]],
      ["other", "edge", [["default/a", ["a.test"]]]],
    ],
  );
  ok(!JSON.stringify(snapshot).includes("PRIVATE KEY"));
});

Deno.test("A certificate that does not exist, or of a namespace that does not permit it, is refused", () => {
  const far = { name: "b", namespace: "certs" };
  const secret = { ...tlsSecret("b", b!) as object, metadata: { name: "b", namespace: "certs" } };
  const grant = (kind: string, to: string) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "ReferenceGrant",
    metadata: { name: "g", namespace: "certs" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind, namespace: "default" }],
      to: [{ group: "", kind: to }],
    },
  });
  const edge = gateway({ name: "a", refs: [far] });
  same(problemsOf([edge]), [
    'spec.listeners[0].tls.certificateRefs[0].name names Secret "certs/b", which does not exist and ' +
    "is not in this input",
  ]);
  const denied = [
    'spec.listeners[0].tls.certificateRefs[0].namespace is "certs", which has no ReferenceGrant for ' +
    'Gateways of namespace "default" to Secret "b"',
  ];
  same(problemsOf([edge, secret]), denied);
  same(problemsOf([edge, secret, grant("Gateway", "Service")]), denied);
  same(problemsOf([edge, secret, grant("HTTPRoute", "Secret")]), denied);
  same(problemsOf([edge, secret, grant("Gateway", "Secret")]), []);
});

Deno.test("Certificate files are for a proxy that runs alone", () => {
  const options = { "denim.dev/certificate-file": "a.crt", "denim.dev/key-file": "a.key" };
  const edge = gateway({ name: "a", refs: [] }) as { spec: { listeners: { tls: unknown }[] } };
  edge.spec.listeners[0]!.tls = { options };
  same(problemsOf([edge]), [
    "spec.listeners[0].tls.options names files, which a standalone proxy reads only; apply a Secret " +
    "and name it in certificateRefs",
  ]);
  same(problemsOf([edge], true), []);
});

const REFUSED: readonly (readonly [string, unknown, string])[] = [
  ["no tls", undefined, "spec.listeners[0].tls"],
  ["no certificate", {}, "spec.listeners[0].tls.certificateRefs"],
  ["an empty list", { certificateRefs: [] }, "spec.listeners[0].tls.certificateRefs"],
  [
    "Passthrough",
    { mode: "Passthrough", certificateRefs: [{ name: "a" }] },
    "spec.listeners[0].tls.mode",
  ],
  [
    "a ConfigMap",
    { certificateRefs: [{ kind: "ConfigMap", name: "a" }] },
    "spec.listeners[0].tls.certificateRefs[0].kind",
  ],
  [
    "half of the files",
    { options: { "denim.dev/key-file": "k" } },
    'spec.listeners[0].tls.options["denim.dev/certificate-file"]',
  ],
];
for (const [what, tls, path] of REFUSED) {
  Deno.test(`An HTTPS listener with ${what} is refused`, () => {
    const edge = gateway({ name: "a", refs: [] }) as { spec: { listeners: { tls?: unknown }[] } };
    if (tls === undefined) delete edge.spec.listeners[0]!.tls;
    else edge.spec.listeners[0]!.tls = tls;
    same(parseDocuments([edge]).errors.map((one) => one.path), [path]);
  });
}
