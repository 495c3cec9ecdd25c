/**
 * A real mesh for black-box tests: a control plane, sidecars and a gateway as processes of their own on
 * free ports, with apps that live in the test.
 *
 *   await using mesh = await startMesh({
 *     services: [{ name: "web", app: () => Response.json({ ok: true }) }],
 *     resources: [route("web"), ...],
 *   });
 *   const answer = await http(mesh.gatewayUrl);
 */
import { stringify } from "yaml";
import { Mesh } from "../../cli/local/mesh.ts";
import { converged } from "../../cli/local/mesh.ts";
import type { ControlClient } from "../../cli/local/control_client.ts";
import type { Child } from "../../cli/local/child.ts";
import type { MeshPlan, WorkloadPlan } from "../../cli/local/plan.ts";
import { portNames } from "../../cli/local/plan.ts";
import { choosePorts } from "../../cli/local/ports.ts";
import { proxyProgram } from "../../cli/program.ts";

export type App = (request: Request) => Response | Promise<Response>;

export interface TestService {
  readonly name: string;
  /** Default: "default", where the gateway is too. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Name of this workload among all; default: the service's, with the version label when there is one. */
  readonly key?: string;
  /** Served in the test's own process; default: 200 with the workload's key as text. */
  readonly app?: App;
  /** `host:port` of an app that runs already. */
  readonly address?: string;
  /** More flags of its sidecar. */
  readonly flags?: readonly string[];
}

export interface TestMeshOptions {
  readonly services: readonly TestService[];
  /** Resources beside the defaults (a Gateway `edge`, one Service per name; not those that are among them), as objects or YAML. */
  readonly resources?: readonly unknown[] | string;
  /** False: no edge gateway. */
  readonly gateway?: boolean;
  /** Runs before the resources are applied, e.g. to admit filters they name. */
  readonly prepare?: (control: ControlClient) => Promise<string | void>;
  readonly controlFlags?: readonly string[];
  readonly proxyFlags?: readonly string[];
}

export class TestMesh implements AsyncDisposable {
  readonly folder: string;
  readonly mesh: Mesh;
  readonly #servers: readonly Deno.HttpServer[];

  constructor(folder: string, mesh: Mesh, servers: readonly Deno.HttpServer[]) {
    this.folder = folder;
    this.mesh = mesh;
    this.#servers = servers;
  }

  /** `http://host:port` of the edge. */
  get gatewayUrl(): string {
    return this.mesh.gatewayUrl;
  }

  get client(): ControlClient {
    return this.mesh.client;
  }

  /** The process of a sidecar by workload key, `gateway` or `control`. */
  process(key: string): Child {
    const child = key === "control" ? this.mesh.control : this.mesh.proxies.get(key);
    if (child === undefined) throw new Error(`The mesh has no process "${key}"`);
    return child;
  }

  /** `http://host:port` of a sidecar's outbound listener: send there with the `host` of a Service. */
  outbound(key: string): string {
    return `http://${String(this.process(key).line?.["outbound"])}`;
  }

  /** `host:port` where other sidecars reach this one. */
  inbound(key: string): string {
    return String(this.process(key).line?.["inbound"]);
  }

  /** `host:port` of the local port that stands for `name:port` at a sidecar, or of a Gateway's listener. */
  listener(key: string, name: string): string {
    const listeners = this.process(key).line?.["listeners"] as Record<string, string>;
    const address = listeners[name] ?? listeners[`upstream ${name}`];
    if (address === undefined) {
      throw new Error(`${key} has no listener "${name}", but ${Object.keys(listeners).join(", ")}`);
    }
    return address;
  }

  admin(key: string): string {
    return String(this.process(key).line?.["admin"]);
  }

  /** One series of a sidecar's metrics page; 0 when it is not there. */
  async metric(key: string, series: string): Promise<number> {
    const text = await (await fetch(`${this.admin(key)}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** What a process logged, as objects; lines that are no JSON are left out. */
  logs(key: string): Readonly<Record<string, unknown>>[] {
    return this.process(key).log.lines().flatMap((line) => {
      try {
        return line.startsWith("{") ? [JSON.parse(line)] : [];
      } catch {
        return [];
      }
    });
  }

  /** Resolves with the first log record that fits; rejects with the last lines when none comes. */
  async logged(
    key: string,
    fits: (record: Readonly<Record<string, unknown>>) => boolean,
    withinMs = 5_000,
  ): Promise<Readonly<Record<string, unknown>>> {
    return await until(
      () => this.logs(key).find(fits) ?? null,
      withinMs,
      () =>
        `No such record in the log of ${key}:\n${
          this.process(key).log.lines().slice(-10).join("\n")
        }`,
    );
  }

  /** Applies resources and waits until every connected proxy has them in force. */
  async apply(resources: readonly unknown[] | string, message = "test"): Promise<number> {
    const { revision } = await this.client.apply(yamlOf(resources), message);
    await converged(this.client, revision);
    return revision;
  }

  /** `kill -9`; the process stays down until `revive`. */
  async kill(key: string): Promise<void> {
    const child = this.process(key);
    child.kill("SIGKILL");
    await child.stop();
  }

  async revive(key: string): Promise<void> {
    await this.process(key).start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh.stop();
    await Promise.all(this.#servers.map((server) => server.shutdown()));
    await Deno.remove(this.folder, { recursive: true });
  }
}

export async function startMesh(options: TestMeshOptions): Promise<TestMesh> {
  const folder = await Deno.makeTempDir({ prefix: "denim-mesh-" });
  const servers: Deno.HttpServer[] = [];
  const workloads = options.services.map((service): WorkloadPlan => {
    const key = keyOf(service);
    const appAddress = service.address ??
      serveApp(servers, service.app ?? (() => new Response(key)));
    const { labels = {}, flags = [], namespace } = service;
    const place = namespace === undefined ? {} : { namespace };
    return { key, service: service.name, ...place, labels, app: null, appAddress, flags };
  });
  const plan: MeshPlan = { workloads, gateway: options.gateway === false ? null : "edge" };
  await Promise.all(
    ["data", "proxies", "logs"].map((name) => Deno.mkdir(`${folder}/${name}`)),
  );
  const mesh = new Mesh(plan, {
    folder,
    ports: choosePorts(portNames(plan), {}),
    program: await proxyProgram(),
    resources: yamlOf(defaults(options)) + "---\n" + yamlOf(options.resources ?? []),
    restart: false,
    ...(options.prepare === undefined ? {} : { prepare: options.prepare }),
    ...(options.controlFlags === undefined ? {} : { controlFlags: options.controlFlags }),
    ...(options.proxyFlags === undefined ? {} : { proxyFlags: options.proxyFlags }),
  });
  const test = new TestMesh(folder, mesh, servers);
  try {
    await mesh.start();
    return test;
  } catch (problem) {
    await test[Symbol.asyncDispose]();
    throw problem;
  }
}

function keyOf(service: TestService): string {
  const version = service.labels?.["version"];
  return service.key ?? (version === undefined ? service.name : `${service.name}-${version}`);
}

function serveApp(servers: Deno.HttpServer[], app: App): string {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app);
  servers.push(server);
  return `127.0.0.1:${server.addr.port}`;
}

function defaults(options: TestMeshOptions): unknown[] {
  const given = typeof options.resources === "string" ? [] : options.resources ?? [];
  const own = new Set(given.map(idOf));
  const services = new Map(options.services.map((one) => [
    `${one.namespace ?? ""}/${one.name}`,
    one,
  ]));
  const edge = options.gateway === false || own.has("Gateway edge") ? [] : [{
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: { listeners: [{ name: "http", port: 0, protocol: "HTTP" }] },
  }];
  const missing = [...services.values()].filter((one) =>
    one.namespace !== undefined || !own.has(`Service ${one.name}`)
  );
  return [...edge, ...missing.map(({ name, namespace }) => meshService(name, {}, namespace))];
}

function idOf(resource: unknown): string {
  const { kind, metadata } = resource as { kind?: string; metadata?: { name?: string } };
  return `${kind} ${metadata?.name}`;
}

/** A Service for the workloads registered under `name`; `over` adds `from`, `selector` and the like. */
export function meshService(
  name: string,
  over: Readonly<Record<string, unknown>> = {},
  namespace?: string,
): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec: { ports: [{ port: 80, protocol: "HTTP" }], ...over },
  };
}

/** An HTTPRoute of the gateway `edge`, or of a Service when `of` names one. */
export function meshRoute(name: string, rules: readonly unknown[], of?: string): unknown {
  const parent = of === undefined ? { name: "edge" } : {
    group: "denim.dev",
    kind: "Service",
    name: of,
  };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name },
    spec: { parentRefs: [parent], rules },
  };
}

function yamlOf(resources: readonly unknown[] | string): string {
  if (typeof resources === "string") return resources;
  return resources.map((one) => stringify(one)).join("---\n");
}

/** Looks again and again until there is a value: for what another process does in its own time. */
export async function until<T>(
  look: () => T | null | Promise<T | null>,
  withinMs: number,
  story: () => string = () => "It did not happen in time",
): Promise<T> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > giveUpAt) throw new Error(story());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
