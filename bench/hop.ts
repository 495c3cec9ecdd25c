/** One plain HTTP/1.1 hop beside haproxy, nginx and Envoy, in rotating rounds on the same cores. */
import { proxyConfig, startProxy } from "./denim.ts";
import { alternate, compare, type Comparison } from "./figures.ts";
import {
  LOAD_CORE,
  type LoadFigures,
  loadRound,
  PROXY_CORE,
  type Targets,
  warmUp,
} from "./load.ts";
import { envoyHopConfig, startEnvoy } from "./peers/envoy.ts";
import { hopConfig, originConfig, startHaproxy } from "./peers/haproxy.ts";
import { nginxHopConfig, startNginx } from "./peers/nginx.ts";
import { freePorts, haveTools, isThere, untilListening } from "./process.ts";

const BODY_BYTES = 1024, CONNECTIONS = 32;

export interface RoundOptions {
  readonly rounds: number;
  readonly seconds: number;
}

export interface HopResult extends Comparison<LoadFigures> {
  readonly bench: "hop";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly connections: number;
  readonly bodyBytes: number;
}

export async function hop({ rounds, seconds }: RoundOptions): Promise<HopResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  const ports = freePorts(5) as [number, number, number, number, number];
  const [originPort, denimPort, haproxyPort, nginxPort, envoyPort] = ports;
  await using stack = new AsyncDisposableStack();
  stack.use(await startHaproxy(LOAD_CORE, originConfig(originPort, BODY_BYTES)));
  await untilListening(originPort);
  const target = (port: number, ...pids: number[]) => ({ url: `http://127.0.0.1:${port}/`, pids });
  const denim = stack.use(await startProxy(PROXY_CORE, proxyConfig(denimPort, originPort)));
  const haproxy = stack.use(await startHaproxy(PROXY_CORE, hopConfig(haproxyPort, originPort)));
  await untilListening(haproxyPort);
  const targets: Record<string, Targets[string]> = {
    denim: target(denimPort, denim.pid),
    haproxy: target(haproxyPort, haproxy.pid),
  };
  if (await isThere("nginx")) {
    const config = (folder: string) => nginxHopConfig(nginxPort, originPort, folder);
    const nginx = stack.use(await startNginx(PROXY_CORE, nginxPort, config));
    targets["nginx"] = target(nginxPort, ...nginx.pids);
  }
  if (await isThere("envoy")) {
    const envoy = stack.use(await startEnvoy(PROXY_CORE, envoyHopConfig(envoyPort, originPort)));
    await untilListening(envoyPort);
    targets["envoy"] = target(envoyPort, envoy.pid);
  }
  await warmUp(targets, CONNECTIONS);
  const each = await alternate(
    rounds,
    Object.keys(targets),
    (name) => loadRound(targets[name]!, CONNECTIONS, seconds),
  );
  return {
    bench: "hop",
    rounds,
    secondsPerRound: seconds,
    connections: CONNECTIONS,
    bodyBytes: BODY_BYTES,
    ...compare(each),
  };
}
