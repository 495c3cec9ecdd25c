/** Client → sidecar ══mTLS══▶ sidecar → app, both sidecars on one core, beside haproxy's pair in the same run. */
import {
  alternate,
  compare,
  type Comparison,
  LOAD_CORE,
  loadRound,
  PROXY_CORE,
} from "./figures.ts";
import type { RoundOptions } from "./hop.ts";
import { startHaproxyPair } from "./haproxy_pair.ts";
import { haveTools } from "./process.ts";
import { startPair } from "./sidecars.ts";

const BODY_BYTES = 1024, CONNECTIONS = [8, 32, 128];

export interface MtlsPairResult {
  readonly bench: "mtls-pair";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly bodyBytes: number;
  /** By number of client connections. */
  readonly at: Readonly<Record<string, Comparison>>;
}

export async function mtlsPair({ rounds, seconds }: RoundOptions): Promise<MtlsPairResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset", "openssl"])) Deno.exit(3);
  await using pair = await startPair(BODY_BYTES, PROXY_CORE);
  await using rival = await startHaproxyPair(PROXY_CORE, pair.originPort);
  const targets = {
    denim: { url: `${pair.outbound}/`, headers: ["Host: origin"], pids: pair.pids },
    haproxy: { url: `${rival.url}/`, pids: rival.pids },
  };
  await loadRound(targets.denim, 32, seconds);
  await loadRound(targets.haproxy, 32, 1);
  const at: Record<string, Comparison> = {};
  for (const connections of CONNECTIONS) {
    console.error(`${connections} connections, load and origin on core ${LOAD_CORE}`);
    const each = await alternate(
      rounds,
      (which) => loadRound(targets[which], connections, seconds),
    );
    at[connections] = compare(each);
  }
  return { bench: "mtls-pair", rounds, secondsPerRound: seconds, bodyBytes: BODY_BYTES, at };
}
