/** Denim's two sidecars and the rivals' pairs, side by side on one core, in front of the same origin. */
import { PROXY_CORE, type Targets } from "./load.ts";
import { ENVOY_GRPC_PAIR, ENVOY_PAIR } from "./peers/envoy.ts";
import { HAPROXY_GRPC_PAIR, HAPROXY_H2_PAIR, HAPROXY_PAIR } from "./peers/haproxy_pair.ts";
import { type PairKind, startRivalPair } from "./peers/pair.ts";
import { isThere } from "./process.ts";
import { type AppProtocol, type StartOrigin, startPair } from "./sidecars.ts";

/** By the name a rival has in the results; `haproxy-h2` speaks HTTP/2 between its two. */
const RIVALS: Readonly<Record<AppProtocol, Readonly<Record<string, PairKind>>>> = {
  HTTP: { haproxy: HAPROXY_PAIR, "haproxy-h2": HAPROXY_H2_PAIR, envoy: ENVOY_PAIR },
  GRPC: { haproxy: HAPROXY_GRPC_PAIR, envoy: ENVOY_GRPC_PAIR },
};

export interface Pairs extends AsyncDisposable {
  /** `denim`, `haproxy` and `haproxy-h2`, and `envoy` where it is on PATH. */
  readonly targets: Targets;
  readonly originPort: number;
  /** The origin without anything before it. */
  readonly direct: string;
}

/** `origin` as a number is the port of one that runs already. */
export async function startPairs(
  origin: StartOrigin | number,
  protocol: AppProtocol = "HTTP",
): Promise<Pairs> {
  const stack = new AsyncDisposableStack();
  try {
    const pair = stack.use(await startPair(origin, { core: PROXY_CORE, protocol }));
    const targets: Record<string, Targets[string]> = {
      denim: { url: `${pair.outbound}/`, host: "origin", pids: pair.pids },
    };
    for (const [name, kind] of Object.entries(RIVALS[protocol])) {
      if (!await isThere(kind.program)) continue;
      const rival = stack.use(await startRivalPair(kind, PROXY_CORE, pair.originPort));
      targets[name] = { url: `${rival.url}/`, pids: rival.pids };
    }
    return {
      targets,
      originPort: pair.originPort,
      direct: `http://127.0.0.1:${pair.originPort}/`,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (problem) {
    await stack.disposeAsync();
    throw problem;
  }
}
