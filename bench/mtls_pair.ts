/** Client → sidecar ══mTLS══▶ sidecar → app, both sidecars on one core, beside pairs of haproxy and Envoy. */
import { alternate, compare, type Comparison } from "./figures.ts";
import type { RoundOptions } from "./hop.ts";
import { LOAD_CORE, type LoadFigures, loadRound, warmUp } from "./load.ts";
import { startPairs } from "./pairs.ts";
import { haveTools } from "./process.ts";
import { answering } from "./sidecars.ts";

const BODY_BYTES = 1024, CONNECTIONS = [8, 32, 128];

export interface MtlsPairResult {
  readonly bench: "mtls-pair";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly bodyBytes: number;
  /** By number of client connections. */
  readonly at: Readonly<Record<string, Comparison<LoadFigures>>>;
}

export async function mtlsPair({ rounds, seconds }: RoundOptions): Promise<MtlsPairResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset", "openssl"])) Deno.exit(3);
  await using pairs = await startPairs(answering(BODY_BYTES));
  const at: Record<string, Comparison<LoadFigures>> = {};
  for (const connections of CONNECTIONS) {
    console.error(`${connections} connections, load and origin on core ${LOAD_CORE}`);
    // Also makes the connections between the two, whose handshakes are not what is measured.
    await warmUp(pairs.targets, connections);
    const each = await alternate(
      rounds,
      Object.keys(pairs.targets),
      (name) => loadRound(pairs.targets[name]!, connections, seconds),
    );
    at[connections] = compare(each);
  }
  return { bench: "mtls-pair", rounds, secondsPerRound: seconds, bodyBytes: BODY_BYTES, at };
}
