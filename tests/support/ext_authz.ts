/** A proxy whose requests are asked about, between an app and an external authorizer that are real. */
import type { ExtAuthzConfig } from "../../control/schema/filter_config.ts";
import { POOL_DEFAULTS } from "../../control/schema/defaults.ts";
import type { BackendSpec, Snapshot } from "../../control/schema/snapshot.ts";
import { createLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { BUILT_IN_FILTERS } from "../../filters/registry.ts";
import type { Engine } from "../../proxy/engine.ts";
import { testEngine } from "./engine.ts";
import { Origin } from "./origin.ts";

export interface GuardedOptions {
  /** `host:port` of the authorizer. */
  readonly authorizer: string;
  readonly config: Partial<ExtAuthzConfig>;
}

export class Guarded implements AsyncDisposable {
  readonly app: Origin;
  readonly metrics = new Metrics();
  readonly logs: Readonly<Record<string, unknown>>[] = [];
  readonly #engine: Engine;

  private constructor(app: Origin) {
    this.app = app;
    this.#engine = testEngine({
      factories: BUILT_IN_FILTERS,
      metrics: this.metrics,
      log: createLog((line) => this.logs.push(JSON.parse(line))),
    });
  }

  static async start({ authorizer, config }: GuardedOptions): Promise<Guarded> {
    const guarded = new Guarded(
      await Origin.start({ answer: ({ body }) => ({ body: `the app got "${body}"` }) }),
    );
    const grpc = config.http === undefined;
    await guarded.#engine.apply(snapshotOf([
      backend("default/app:80", guarded.app.address),
      { ...backend("default/authz:80", authorizer), ...(grpc ? { protocol: "h2" } : {}) },
    ], config));
    return guarded;
  }

  get url(): string {
    return `http://${this.#engine.addresses.get("web")}`;
  }

  /** How many answers were `allowed`, `denied`, `error` or `failed_open`. */
  count(result: string): number {
    const series = `denim_ext_authz_total{provider="opa",result="${result}"} `;
    const line = this.metrics.render().split("\n").find((text) => text.startsWith(series));
    return Number(line?.slice(series.length) ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.drain(0);
    await this.app[Symbol.asyncDispose]();
  }
}

function backend(name: string, address: string): BackendSpec {
  return {
    name,
    endpoints: [{ address }],
    balancer: { algorithm: "round_robin" },
    connectTimeoutMs: 500,
    pool: POOL_DEFAULTS,
    outlier: null,
  };
}

function snapshotOf(backends: readonly BackendSpec[], config: Partial<ExtAuthzConfig>): Snapshot {
  const full: ExtAuthzConfig = {
    provider: "opa",
    policies: [{ name: "default/ask", rules: [{ from: [], to: [], when: [] }] }],
    place: { trustDomain: "mesh.test", ports: [] },
    backend: "default/authz:80",
    fields: [],
    timeoutMs: 2000,
    failOpen: false,
    statusOnError: 403,
    destination: { principal: "spiffe://mesh.test/ns/default/sa/web", service: "default/web" },
    ...config,
  };
  return {
    version: "1",
    node: { kind: "gateway", namespace: "default", name: "edge" },
    listeners: [{
      name: "web",
      role: "gateway",
      port: 0,
      tls: "none",
      hosts: [{
        hostnames: ["*"],
        routes: [{
          name: "default/app",
          matches: [],
          filters: [{ kind: "ext-authz", name: "default/web:ext-authz:opa", config: full }],
          backends: [{ backend: "default/app:80", weight: 1, filters: [] }],
        }],
      }],
    }],
    backends: Object.fromEntries(backends.map((one) => [one.name, one])),
    modules: [],
    trust: { domain: "mesh.test", bundle: [] },
  };
}
