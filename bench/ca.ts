/** How many identities the authority issues: real requests through what the control plane does with each. */
import { cpuUsage } from "node:process";
import { Authority } from "../control/ca/mod.ts";
import { createKeyAndCsr } from "../proxy/tls/mod.ts";
import { median, round2 } from "./figures.ts";

const DOMAIN = "bench.test", IDENTITY = `spiffe://${DOMAIN}/ns/default/sa/web`;
/** Sessions that ask at once; each has one request under way. */
const SESSIONS = 16;
const REQUESTS = 200;

export interface CaResult {
  readonly bench: "ca";
  readonly seconds: number;
  readonly rounds: readonly CaRound[];
  readonly median: CaRound;
}

export interface CaRound {
  /** On as many cores as the machine has. */
  readonly issuedPerSecond: number;
  /** For each second of CPU, of all threads. */
  readonly issuedPerCore: number;
}

/** Each certificate: proof of possession checked, signed, read back, on disk in the issuance log. */
export async function ca(
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<CaResult> {
  const dir = await Deno.makeTempDir({ prefix: "denim-bench-ca-" });
  try {
    const authority = await Authority.open(dir, { trustDomain: DOMAIN });
    const requests = Array.from({ length: REQUESTS }, () => createKeyAndCsr().csrPem);
    await round(authority, requests, Math.min(1, seconds)); // warm-up
    const measured: CaRound[] = [];
    for (let n = 0; n < rounds; n++) measured.push(await round(authority, requests, seconds));
    const of = (name: keyof CaRound): number => median(measured.map((one) => one[name]));
    return {
      bench: "ca",
      seconds,
      rounds: measured,
      median: { issuedPerSecond: of("issuedPerSecond"), issuedPerCore: of("issuedPerCore") },
    };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function round(
  authority: Authority,
  requests: readonly string[],
  seconds: number,
): Promise<CaRound> {
  const startMs = performance.now(), before = cpuUsage();
  const endMs = startMs + seconds * 1000;
  let issued = 0;
  const session = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await authority.issue(IDENTITY, requests[issued++ % requests.length]!);
    }
  };
  await Promise.all(Array.from({ length: SESSIONS }, session));
  const elapsed = (performance.now() - startMs) / 1000;
  const { user, system } = cpuUsage(before);
  return {
    issuedPerSecond: round2(issued / elapsed),
    issuedPerCore: round2(issued / ((user + system) / 1e6)),
  };
}
