/** A proxy with Wasm filters on its routes, in front of an origin that echoes: over sockets, from a snapshot made here. */
import type { FilterSpec, RouteSpec, Snapshot } from "../../control/schema/snapshot.ts";
import { type RunningProxy, startStandalone } from "../../proxy/main.ts";
import type { StandaloneOptions } from "../../proxy/options.ts";
import { CAPABILITIES } from "../../wasm/capabilities.ts";
import { sha256 } from "../../wasm/filter.ts";
import { metered, proxyWasmWat, type WatOptions } from "../../wasm/testing/harness.ts";

const MODULES = new Map<string, Uint8Array>();

/** A filter of WAT text around `body`, in force as a binding named `default/NAME` would put it. */
export async function filterSpec(
  name: string,
  body: string,
  failMode = "closed",
  wat: WatOptions = {},
): Promise<FilterSpec> {
  const text = proxyWasmWat(body, { memory: '(memory (export "memory") 20)', ...wat });
  const bytes = await metered(text, 64 * 65536);
  const digest = await sha256(bytes);
  MODULES.set(digest, bytes);
  const config = {
    abi: "proxy-wasm",
    digest,
    module: `tests/${name}`,
    version: "1.0.0",
    config: "",
    fuelPerCall: 10_000_000,
    memoryBytes: 64 * 65536,
    failMode,
    capabilities: Object.keys(CAPABILITIES),
    phases: ["TRANSFORM"],
  };
  return { kind: "wasm", name: `default/${name}`, config };
}

/** A route that runs `filters`. */
export function route(path: string, ...filters: FilterSpec[]): RouteSpec {
  return {
    name: `default${path}`,
    matches: [{ path: { type: "PathPrefix", value: path } }],
    filters,
    backends: [{ backend: "default/app:80", weight: 1, filters: [] }],
  };
}

export function snapshot(version: string, origin: string, routes: RouteSpec[]): Snapshot {
  return {
    version,
    node: { kind: "gateway", namespace: "default", name: "edge" },
    listeners: [{
      name: "http",
      role: "gateway",
      port: 0,
      address: "127.0.0.1",
      tls: "none",
      hosts: [{ hostnames: ["*"], routes }],
    }],
    backends: {
      "default/app:80": {
        name: "default/app:80",
        endpoints: [{ address: origin }],
        balancer: { algorithm: "p2c" },
        connectTimeoutMs: 1000,
        pool: { maxConnections: 64, maxPending: 64, idleTimeoutMs: 5000 },
        outlier: null,
      },
    },
    modules: [],
    trust: { domain: "mesh.local", bundle: [] },
  };
}

const OPTIONS: StandaloneOptions = {
  mode: "standalone",
  config: "",
  listenAddress: "127.0.0.1",
  admin: { host: "127.0.0.1", port: 0 },
  readyFile: null,
  accessLog: false,
  logLevel: "error",
  drainMs: 1000,
};

export interface Rig extends AsyncDisposable {
  readonly proxy: RunningProxy;
  readonly url: string;
  readonly origin: string;
}

/** Starts a proxy with these routes in front of an origin that echoes bodies. */
export async function start(routes: RouteSpec[]): Promise<Rig> {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      // A request the proxy gave up half-way has no body to echo.
      const body = await request.text().catch(() => "");
      return new Response(body);
    },
  );
  const origin = `127.0.0.1:${server.addr.port}`;
  const modules = {
    get: (digest: string): Promise<Uint8Array> => Promise.resolve(MODULES.get(digest)!),
  };
  const proxy = await startStandalone(OPTIONS, {
    snapshot: snapshot("1", origin, routes),
    modules,
  });
  return {
    proxy,
    url: `http://${proxy.ready().listeners["http"]}`,
    origin,
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.shutdown();
    },
  };
}

/** What the proxy reports of its filters, by name. */
export async function filters(
  rig: Rig,
): Promise<Record<string, { state: string; lastTrap: string; traps: number }>> {
  const { admin } = rig.proxy.ready();
  const report = await (await fetch(`${admin}/stats`)).json();
  return Object.fromEntries(report.filters.map((f: { name: string }) => [f.name, f]));
}
