/** What a local mesh consists of: the apps, and the command line of every process. Plain data, no side effects. */
import { proxyFlags, supervisorFlags } from "../../proxy/launch.ts";
import { descriptorFlags } from "../limits.ts";
import { guarded } from "./child.ts";

const CLI = new URL("../main.ts", import.meta.url).pathname;
const DEMO = new URL("../../examples/demo/", import.meta.url).pathname;

/** Where workloads and the gateway are unless said otherwise. */
export const NAMESPACE = "default";

/** One workload and its app. */
export interface WorkloadPlan {
  /** Unique in the mesh, e.g. `reviews-v2`; also the names of its log and its state folder. */
  readonly key: string;
  /** Name it registers under. */
  readonly service: string;
  /** Default: {@link NAMESPACE}. */
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The app to start; null when something else serves at the port of `<key>.app`. */
  readonly app: AppPlan | null;
  /** `host:port` of an app that runs already; with it `app` is null. */
  readonly appAddress?: string;
  /** More flags of its sidecar. */
  readonly flags?: readonly string[];
  /** Heap of its sidecar in MiB, when not the default. */
  readonly heapMiB?: number;
}

export interface AppPlan {
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface MeshPlan {
  readonly workloads: readonly WorkloadPlan[];
  /** Name of the Gateway resource whose listeners the edge proxy opens; null for none. */
  readonly gateway: string | null;
}

/** The demo of `deno task run`: web → catalog → reviews v1/v2 behind the gateway `edge`. */
export const DEMO_PLAN: MeshPlan = {
  gateway: "edge",
  workloads: [
    workload("web", {}, "web.ts", { CATALOG_URL: "http://catalog" }),
    workload("catalog", {}, "catalog.ts", { REVIEWS_URL: "http://reviews" }),
    workload("reviews", { version: "v1" }, "reviews.ts", { VERSION: "v1" }),
    workload("reviews", { version: "v2" }, "reviews.ts", { VERSION: "v2" }),
  ],
};

export const DEMO_RESOURCES = `${DEMO}mesh.yaml`;

function workload(
  service: string,
  labels: Readonly<Record<string, string>>,
  main: string,
  env: Readonly<Record<string, string>>,
): WorkloadPlan {
  const version = labels["version"];
  return {
    key: version === undefined ? service : `${service}-${version}`,
    service,
    labels,
    app: { main: `${DEMO}${main}`, env },
  };
}

/** Names of every port the plan needs. */
export function portNames(plan: MeshPlan): string[] {
  const names = ["control", "mesh"];
  if (plan.gateway !== null) names.push("gateway", "gateway.admin");
  for (const { key } of plan.workloads) {
    names.push(`${key}.app`, `${key}.inbound`, `${key}.outbound`, `${key}.admin`);
  }
  return names;
}

export interface Places {
  readonly ports: Readonly<Record<string, number>>;
  /** What proxies are started from. */
  readonly program: string;
  /** File of the mesh's folder, e.g. `data`. */
  readonly file: (name: string) => string;
}

export function controlArgs(places: Places, more: readonly string[]): string[] {
  return guarded(["-A"], CLI, [
    "control",
    "--data",
    places.file("data"),
    "--listen",
    at(places, "control"),
    "--mesh-listen",
    at(places, "mesh"),
    ...more,
  ]);
}

export function appArgs(app: AppPlan): string[] {
  return guarded(["--allow-net", "--allow-env", "--no-prompt"], app.main, []);
}

/** An app is told where it listens, and that HTTP goes through its sidecar: that is all it knows. */
export function appEnv(places: Places, workload: WorkloadPlan): Record<string, string> {
  return {
    ...workload.app?.env,
    HOST: "127.0.0.1",
    PORT: String(places.ports[`${workload.key}.app`]),
    HTTP_PROXY: `http://${at(places, `${workload.key}.outbound`)}`,
    http_proxy: `http://${at(places, `${workload.key}.outbound`)}`,
    NO_PROXY: "",
    no_proxy: "",
  };
}

export function sidecarArgs(
  places: Places,
  workload: WorkloadPlan,
  more: readonly string[],
): string[] {
  const { key } = workload;
  return proxyArgs(places, key, [
    "--service",
    workload.service,
    "--namespace",
    workload.namespace ?? NAMESPACE,
    ...Object.entries(workload.labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    "--app",
    workload.appAddress ?? at(places, `${key}.app`),
    "--inbound",
    at(places, `${key}.inbound`),
    "--outbound",
    at(places, `${key}.outbound`),
    "--admin",
    at(places, `${key}.admin`),
    ...workload.flags ?? [],
    ...more,
  ], workload.heapMiB);
}

export function gatewayArgs(places: Places, gateway: string, more: readonly string[]): string[] {
  return proxyArgs(places, "gateway", [
    "--gateway",
    gateway,
    "--admin",
    at(places, "gateway.admin"),
    ...more,
  ]);
}

function proxyArgs(
  places: Places,
  key: string,
  args: readonly string[],
  heapMiB?: number,
): string[] {
  const state = places.file(`proxies/${key}`);
  const files = { read: [state, places.file("trust-bundle.pem")], write: [state] };
  const flags = args.includes("--supervise") ? supervisorFlags(files) : proxyFlags(files, heapMiB);
  return guarded(flags, places.program, [
    "proxy",
    "--control",
    at(places, "mesh"),
    "--trust-bundle",
    places.file("trust-bundle.pem"),
    "--join-token-file",
    `${state}/join.token`,
    "--state",
    state,
    ...descriptorFlags(),
    ...args,
  ]);
}

function at(places: Places, name: string): string {
  return `127.0.0.1:${places.ports[name]}`;
}
