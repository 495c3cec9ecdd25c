/** One plain HTTP/1.1 hop beside haproxy, in alternating rounds on the same cores: CPU per request, throughput. */
import { proxyConfig, startProxy } from "./denim.ts";
import {
  alternate,
  compare,
  type Comparison,
  LOAD_CORE,
  loadRound,
  PROXY_CORE,
} from "./figures.ts";
import { hopConfig, originConfig, startHaproxy } from "./haproxy.ts";
import { freePorts, haveTools, untilListening } from "./process.ts";

const BODY_BYTES = 1024, CONNECTIONS = 32;

export interface RoundOptions {
  readonly rounds: number;
  readonly seconds: number;
}

export interface HopResult extends Comparison {
  readonly bench: "hop";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly connections: number;
  readonly bodyBytes: number;
}

export async function hop({ rounds, seconds }: RoundOptions): Promise<HopResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  const [originPort, haproxyPort, denimPort] = freePorts(3) as [number, number, number];
  await using _origin = await startHaproxy(LOAD_CORE, originConfig(originPort, BODY_BYTES));
  await untilListening(originPort);
  await using haproxy = await startHaproxy(PROXY_CORE, hopConfig(haproxyPort, originPort));
  await untilListening(haproxyPort);
  await using denim = await startProxy(PROXY_CORE, proxyConfig(denimPort, originPort));
  const targets = {
    denim: { url: `http://127.0.0.1:${denimPort}/`, pids: [denim.pid] },
    haproxy: { url: `http://127.0.0.1:${haproxyPort}/`, pids: [haproxy.pid] },
  };
  // The first round lets the JIT compile and the pools fill; it is thrown away.
  await loadRound(targets.denim, CONNECTIONS, seconds);
  await loadRound(targets.haproxy, CONNECTIONS, 1);
  const each = await alternate(
    rounds,
    (which) => loadRound(targets[which], CONNECTIONS, seconds),
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
