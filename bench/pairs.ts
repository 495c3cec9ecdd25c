/** Denim's two sidecars and the rivals' pairs, side by side on one core, in front of the same origin. */
import { PROXY_CORE, type Targets } from "./load.ts";
import { ENVOY_PAIR } from "./peers/envoy.ts";
import { HAPROXY_H2_PAIR, HAPROXY_PAIR } from "./peers/haproxy_pair.ts";
import { startRivalPair } from "./peers/pair.ts";
import { isThere } from "./process.ts";
import { startPair } from "./sidecars.ts";

export interface Pairs extends AsyncDisposable {
  /** `denim`, `haproxy` (HTTP/1.1 between its two), `haproxy-h2` (HTTP/2), and `envoy` where it is on PATH. */
  readonly targets: Targets;
  /** The origin without anything before it. */
  readonly direct: string;
}

/** The origin answers `bytes` bytes from memory. */
export async function startPairs(bytes: number): Promise<Pairs> {
  const stack = new AsyncDisposableStack();
  try {
    const pair = stack.use(await startPair(bytes, PROXY_CORE));
    const targets: Record<string, Targets[string]> = {
      denim: { url: `${pair.outbound}/`, headers: ["Host: origin"], pids: pair.pids },
    };
    const rivals = {
      haproxy: HAPROXY_PAIR,
      "haproxy-h2": HAPROXY_H2_PAIR,
      ...(await isThere("envoy") && { envoy: ENVOY_PAIR }),
    };
    for (const [name, kind] of Object.entries(rivals)) {
      const rival = stack.use(await startRivalPair(kind, PROXY_CORE, pair.originPort));
      targets[name] = { url: `${rival.url}/`, pids: rival.pids };
    }
    return {
      targets,
      direct: `http://127.0.0.1:${pair.originPort}/`,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (problem) {
    await stack.disposeAsync();
    throw problem;
  }
}
