import { deepStrictEqual as same } from "node:assert/strict";
import { parseDocuments } from "../schema/parse.ts";
import type { WasmConfig } from "../schema/filter_config.ts";
import { buildStandalone } from "./mod.ts";

Deno.test("Upstreams of a binding become backends, by every name a module may call them", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const { resources, errors } = parseDocuments(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {listeners: [{name: http, port: 8080, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: app, port: 80}]}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: app}
spec: {ports: [{port: 80}], endpoints: ["10.0.0.1:80"]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: auth}
spec: {ports: [{port: 90}], endpoints: ["10.0.0.2:90"]}
---
apiVersion: denim.dev/v1
kind: FilterBinding
metadata: {name: guard}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  module: {digest: "${digest}"}
  capabilities: [http-call]
  upstreams: [{name: checker, service: auth, port: 90}, {service: gone, port: 90}]
`);
  same(errors, []);
  const modules = [{ name: "", version: "", digest, bytes: 1, abi: "proxy-wasm" as const }];
  const snapshot = buildStandalone(resources, { modules });
  const filters = snapshot.listeners[0]!.hosts[0]!.routes[0]!.filters;
  const config = filters.find((one) => one.kind === "wasm")!.config as WasmConfig;
  same(config.upstreams, [{
    names: [
      "checker",
      "default/auth:90",
      "auth.default:90",
      "auth.default.svc.cluster.local:90",
      "outbound|90||auth.default.svc.cluster.local",
    ],
    backend: "default/auth:90",
    fields: [],
  }]);
  same(snapshot.backends["default/auth:90"]?.endpoints, [{ address: "10.0.0.2:90" }]);
});
