/** Two real sidecars with a control plane, for what is promised of a sidecar: wrk → client ══mTLS══▶ server → origin. */
import { Mesh } from "../cli/local/mesh.ts";
import type { MeshPlan } from "../cli/local/plan.ts";
import { portNames } from "../cli/local/plan.ts";
import { choosePorts } from "../cli/local/ports.ts";
import { proxyProgram } from "../cli/program.ts";
import { originConfig, startHaproxy } from "./peers/haproxy.ts";
import { freePorts, pin, untilListening } from "./process.ts";

/** What both Services speak at port 80. */
export type AppProtocol = "HTTP" | "GRPC";

/** Starts what serves behind the called's sidecar, at this port of the loopback. */
export type StartOrigin = (port: number) => Promise<AsyncDisposable>;

export interface PairOptions {
  /** Both sidecars run there; without it they run anywhere. */
  readonly core?: number;
  readonly protocol?: AppProtocol;
  /** Default: the bundle, as everybody starts it. */
  readonly program?: string;
  /** Heap of each sidecar, in MiB; default: as delivered. */
  readonly heapMiB?: number;
}

export interface Pair extends AsyncDisposable {
  readonly mesh: Mesh;
  /** Where load for the origin goes, with `Host: origin`. */
  readonly outbound: string;
  readonly originPort: number;
  /** Of the caller's sidecar and of the called's. */
  readonly pids: readonly number[];
  /** Data, logs and state of all of them. */
  readonly folder: string;
}

/** The load core, where the origin runs as well. */
const ORIGIN_CORE = 1;

/** haproxy, answering every request with `bytes` bytes from memory. */
export function answering(bytes: number): StartOrigin {
  return (port) => startHaproxy(ORIGIN_CORE, originConfig(port, bytes));
}

/** Boots origin, control plane and both sidecars. `start` as a number is the port of an origin that runs already. */
export async function startPair(
  start: StartOrigin | number,
  options: PairOptions = {},
): Promise<Pair> {
  const { core, protocol = "HTTP" } = options;
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  const originPort = typeof start === "number" ? start : freePorts(1)[0]!;
  const origin = typeof start === "number" ? null : await start(originPort);
  await untilListening(originPort);
  const plan: MeshPlan = {
    gateway: null,
    workloads: [
      workload("client", "127.0.0.1:9", options),
      workload("origin", `127.0.0.1:${originPort}`, options),
    ],
  };
  for (const name of ["data", "proxies", "logs"]) await Deno.mkdir(`${folder}/${name}`);
  const mesh = new Mesh(plan, {
    folder,
    ports: choosePorts(portNames(plan), {}),
    program: options.program ?? await proxyProgram(),
    resources: resources(protocol),
    restart: false,
  });
  const dispose = async (): Promise<void> => {
    await mesh.stop();
    await origin?.[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await mesh.start();
    if (core !== undefined) {
      for (const { pid } of mesh.local().services) await pin(pid, core);
      await pin(mesh.control.pid, ORIGIN_CORE);
    }
  } catch (problem) {
    await dispose();
    throw problem;
  }
  return {
    mesh,
    outbound: mesh.local().services[0]!.outbound,
    originPort,
    pids: mesh.local().services.map((one) => one.pid),
    folder,
    [Symbol.asyncDispose]: dispose,
  };
}

function resources(protocol: AppProtocol): string {
  return ["client", "origin"].map((name) =>
    `apiVersion: denim.dev/v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ port: 80, protocol: ${protocol} }] }
`
  ).join("---\n");
}

function workload(
  name: string,
  appAddress: string,
  { heapMiB }: PairOptions,
): MeshPlan["workloads"][number] {
  const heap = heapMiB === undefined ? {} : { heapMiB };
  return { key: name, service: name, labels: {}, app: null, appAddress, ...heap };
}
