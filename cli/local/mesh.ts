/**
 * A whole mesh on this machine as child processes: control plane, apps with a sidecar each, a gateway.
 * `denim run` shows it to people, tests attack it.
 *
 *   apps ─────────────────────────────────────────────┐
 *   control plane ─▶ bundle, tokens ─▶ sidecars ──────┼─▶ up
 *                  └▶ filters, resources ─▶ gateway ──┘
 */
import { parseAllDocuments } from "yaml";
import { PROXY_ENV } from "../../proxy/launch.ts";
import { Child } from "./child.ts";
import type { ReadyLine } from "./child.ts";
import { ControlClient } from "./control_client.ts";
import * as plans from "./plan.ts";
import { type MeshPlan, NAMESPACE, type Places, type WorkloadPlan } from "./plan.ts";
import type { LocalMesh, LocalService } from "./state.ts";

export interface MeshOptions {
  /** Its folder: data, proxies, logs and the trust bundle go there. */
  readonly folder: string;
  readonly ports: Readonly<Record<string, number>>;
  /** What proxies are started from: see program.ts. */
  readonly program: string;
  /** Resources to apply when the control plane has none yet, as YAML; null for none. */
  readonly resources: string | null;
  /**
   * Runs after the control plane is up and before the resources are applied: admits the filters they name.
   * YAML it gives is applied with them.
   */
  readonly prepare?: (control: ControlClient) => Promise<string | void>;
  /** Told in sentences what happens to processes. */
  readonly say?: (sentence: string) => void;
  /** Called when something of `local()` changed: a process came back under another id. */
  readonly changed?: () => void;
  /** Whether a process that dies is started again; tests that kill say no. */
  readonly restart?: boolean;
  readonly controlFlags?: readonly string[];
  readonly proxyFlags?: readonly string[];
}

export class Mesh implements AsyncDisposable {
  readonly plan: MeshPlan;
  readonly control: Child;
  /** By workload key; the gateway's is `gateway`. */
  readonly proxies: ReadonlyMap<string, Child>;
  readonly apps: ReadonlyMap<string, Child>;
  readonly #options: MeshOptions;
  readonly #places: Places;
  #client: ControlClient | null = null;

  constructor(plan: MeshPlan, options: MeshOptions) {
    this.plan = plan;
    this.#options = options;
    const { ports, program, folder } = options;
    this.#places = { ports, program, file: (name) => `${folder}/${name}` };
    const places = this.#places;
    this.control = this.#child(
      "control",
      "control plane",
      plans.controlArgs(places, options.controlFlags ?? []),
    );
    this.apps = new Map(
      plan.workloads.flatMap((one) => one.app === null ? [] : [[one.key, this.#app(one)]]),
    );
    const more = options.proxyFlags ?? [];
    const sidecars = plan.workloads.map((one): [string, Child] => [
      one.key,
      this.#child(
        one.key,
        `sidecar of ${one.key}`,
        plans.sidecarArgs(places, one, more),
        PROXY_ENV,
      ),
    ]);
    const gateway: [string, Child][] = plan.gateway === null ? [] : [[
      "gateway",
      this.#child(
        "gateway",
        `gateway ${plan.gateway}`,
        plans.gatewayArgs(places, plan.gateway, more),
        PROXY_ENV,
      ),
    ]];
    this.proxies = new Map([...sidecars, ...gateway]);
  }

  /** Starts everything and resolves when all of it serves; when one part fails, all are stopped again. */
  async start(): Promise<void> {
    try {
      const apps = [...this.apps.values()].map((app) => app.start());
      // A rejection is handled below; until then it must not count as unhandled.
      const appsUp = Promise.all(apps);
      appsUp.catch(() => {});
      await this.control.start();
      await this.#join();
      // They load and join meanwhile; ready they are only with a configuration, which may take long to come.
      for (const proxy of this.proxies.values()) proxy.launch();
      await this.#configure();
      await Promise.all([appsUp, ...[...this.proxies.values()].map((proxy) => proxy.start())]);
      await this.#converged();
    } catch (problem) {
      await this.stop();
      throw problem;
    }
  }

  /** Stops the edge first and the control plane last, so that nothing is asked of what has gone. */
  async stop(): Promise<void> {
    await this.proxies.get("gateway")?.stop();
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.stop()));
    await Promise.all([...this.apps.values(), this.control].map((child) => child.stop()));
    for (const child of this.#children()) child.log[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** The API of the control plane; after `start`. */
  get client(): ControlClient {
    if (this.#client === null) throw new Error("The mesh has not started");
    return this.#client;
  }

  /** `http://host:port` of the gateway's first listener: its resource is applied with this port. */
  get gatewayUrl(): string {
    const port = this.#places.ports["gateway"];
    return port === undefined ? "" : `http://127.0.0.1:${port}`;
  }

  local(): LocalMesh {
    const control = `http://127.0.0.1:${this.#places.ports["control"]}`;
    return {
      control,
      dashboard: `${control}/`,
      marketplace: `${control}/filters`,
      gateway: this.gatewayUrl,
      trustBundle: this.#places.file("trust-bundle.pem"),
      services: this.plan.workloads.map((one) => this.#service(one)),
    };
  }

  #service(workload: WorkloadPlan): LocalService {
    const { key, service } = workload;
    const port = (name: string): number => this.#places.ports[`${key}.${name}`]!;
    return {
      name: service,
      identity: `spiffe://mesh.local/ns/${workload.namespace ?? NAMESPACE}/sa/${service}`,
      outbound: `http://127.0.0.1:${port("outbound")}`,
      inbound: `127.0.0.1:${port("inbound")}`,
      admin: `http://127.0.0.1:${port("admin")}`,
      app: `http://${workload.appAddress ?? `127.0.0.1:${port("app")}`}`,
      pid: this.proxies.get(key)?.pid ?? 0,
    };
  }

  /** Gives every proxy what it needs to be let in: the trust bundle and a join token of its own. */
  async #join(): Promise<void> {
    const token = (await Deno.readTextFile(this.#places.file("data/admin.token"))).trim();
    await Deno.writeTextFile(this.#places.file("admin.token"), `${token}\n`, { mode: 0o600 });
    const client = new ControlClient(`http://127.0.0.1:${this.#places.ports["control"]}`, token);
    this.#client = client;
    await Deno.writeTextFile(this.#places.file("trust-bundle.pem"), await client.trustBundle());
    const names = new Map(
      this.plan.workloads.map((one) => [one.key, `${one.namespace ?? NAMESPACE}/${one.service}`]),
    );
    if (this.plan.gateway !== null) names.set("gateway", `${NAMESPACE}/${this.plan.gateway}`);
    await Promise.all([...names].map(async ([key, name]) => {
      const state = this.#places.file(`proxies/${key}`);
      await Deno.mkdir(state, { recursive: true, mode: 0o700 });
      const joinToken = await client.joinToken(name);
      await Deno.writeTextFile(`${state}/join.token`, `${joinToken}\n`, { mode: 0o600 });
    }));
  }

  /** Applies the first resources; what was applied since is kept, only the gateway's port follows. */
  async #configure(): Promise<void> {
    const { resources, prepare } = this.#options;
    const more = await prepare?.(this.client) ?? "";
    if (resources === null) return;
    const revisions = await this.client.get("/api/v1/revisions");
    const first = listOf(revisions, "revisions").length === 0;
    if (first) {
      const all = more === "" ? resources : `${resources}---\n${more}`;
      await this.client.apply(this.#withGatewayPort(all), "The first resources");
    } else if (this.plan.gateway !== null) {
      await this.#moveGateway(this.plan.gateway);
    }
  }

  /** The port of a former start may be taken by now. */
  async #moveGateway(name: string): Promise<void> {
    const resource = await this.client.get(`/api/v1/resources/Gateway/default/${name}`);
    const before = JSON.stringify(resource);
    const after = this.#withGatewayPort(before);
    if (
      JSON.stringify(JSON.parse(before)) !== JSON.stringify(parseAllDocuments(after)[0]?.toJS())
    ) {
      await this.client.apply(after, "The gateway's port of this start");
    }
  }

  #withGatewayPort(documents: string): string {
    const port = this.#places.ports["gateway"];
    if (port === undefined) return documents;
    return parseAllDocuments(documents).map((document) => {
      if (document.get("kind") === "Gateway") {
        document.setIn(["spec", "listeners", 0, "port"], port);
      }
      return document.toString();
    }).join("---\n");
  }

  /** Every workload is known where it serves now, and every proxy says it has the newest snapshot in force. */
  async #converged(): Promise<void> {
    const revisions = listOf(await this.client.get("/api/v1/revisions"), "revisions");
    const newest = Math.max(0, ...revisions.map((one) => Number(one["revision"])));
    if (newest === 0) return;
    await patiently(SERVING_MS, async () => await this.#serving() ? true : null);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await converged(this.client, newest);
  }

  /** Whether the control plane has every workload of the plan as a connected, healthy one of its Service. */
  async #serving(): Promise<boolean> {
    const services = listOf(await this.client.get("/api/v1/services"), "services");
    return this.plan.workloads.every((workload) => {
      const service = services.find((one) =>
        one["name"] === workload.service &&
        one["namespace"] === (workload.namespace ?? NAMESPACE)
      );
      if (service === undefined || !("workloads" in service)) return true;
      const inbound = `127.0.0.1:${this.#places.ports[`${workload.key}.inbound`]}`;
      const known = listOf(service, "workloads").find((one) => one["inbound"] === inbound);
      return known?.["connected"] === true && known["healthy"] === true;
    });
  }

  #app(workload: WorkloadPlan): Child {
    return this.#child(
      `${workload.key}.app`,
      `app of ${workload.key}`,
      plans.appArgs(workload.app!),
      plans.appEnv(this.#places, workload),
    );
  }

  #child(
    key: string,
    name: string,
    args: string[],
    env?: Readonly<Record<string, string>>,
  ): Child {
    const { say, restart, changed } = this.#options;
    return new Child({
      name,
      args,
      logPath: this.#places.file(`logs/${key}.log`),
      ...(env === undefined ? {} : { env }),
    }, {
      ...(say === undefined ? {} : { say }),
      ...(restart === undefined ? {} : { restart }),
      onReady: (_line: ReadyLine) => changed?.(),
    });
  }

  #children(): Child[] {
    return [this.control, ...this.apps.values(), ...this.proxies.values()];
  }
}

const CONVERGED_MS = 15_000;
/** A workload whose app is down on purpose must not hold the start up for longer. */
const SERVING_MS = 5_000;
/** Longer than the control plane gathers changes before it publishes them. */
const SETTLE_MS = 60;

/** Waits until every connected proxy has acked what revision `revision` means for it. */
export async function converged(client: ControlClient, revision: number): Promise<void> {
  let answer: unknown;
  const arrived = await patiently(CONVERGED_MS, async () => {
    answer = await client.get(`/api/v1/converged?revision=${revision}`);
    return isConverged(answer) ? true : null;
  });
  if (arrived !== null) return;
  throw new Error(
    `Not every proxy took revision ${revision} within ${CONVERGED_MS / 1000} s: ` +
      JSON.stringify(answer),
  );
}

/** What `look` gives once it gives something; null when `withinMs` pass before. */
async function patiently<T>(withinMs: number, look: () => Promise<T | null>): Promise<T | null> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null || performance.now() > giveUpAt) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function isConverged(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "converged" in answer &&
    answer.converged === true;
}

function listOf(answer: unknown, member: string): readonly Record<string, unknown>[] {
  if (Array.isArray(answer)) return answer;
  if (typeof answer === "object" && answer !== null && member in answer) {
    const list: unknown = Reflect.get(answer, member);
    if (Array.isArray(list)) return list;
  }
  return [];
}
