/** What a filter adds to a plain HTTP/1.1 hop: through Denim metered and unmetered, and through Envoy by the same module. */
import { makeArtefact } from "../../control/market/artefact.ts";
import { proxyConfig, startProxy } from "../denim.ts";
import { alternate, compare, type Comparison, median, type Round, round2 } from "../figures.ts";
import type { RoundOptions } from "../hop.ts";
import { LOAD_CORE, type LoadFigures, loadRound, PROXY_CORE, type Target } from "../load.ts";
import { envoyHopConfig, startEnvoy } from "../peers/envoy.ts";
import { common, startHaproxy } from "../peers/haproxy.ts";
import { freePorts, isThere, untilListening } from "../process.ts";
import type { FilterName } from "./modules.ts";
import { unmetered } from "./unmetered.ts";

const BODY_BYTES = 1024, CONNECTIONS = 32, MEMORY_MIB = 16;
/** What the client sends and the filters copy. */
const AGENT = "bench";

/** µs of CPU a request costs more than without the filter, by the same proxy in the same round; medians. */
export interface Added {
  readonly metered: number;
  readonly unmetered: number;
  /** Null: it is not there, or cannot run the module. */
  readonly envoy: number | null;
}

export interface FiltersOnHop {
  readonly connections: number;
  readonly bodyBytes: number;
  readonly added: Readonly<Partial<Record<FilterName, Added>>>;
  /** Every contender: `denim`, `envoy`, and with each filter `NAME`, `NAME-unmetered`, `envoy-NAME`. */
  readonly load: Comparison<LoadFigures>;
  /** What Envoy said when it would not run a module. */
  readonly envoyRefused: Readonly<Record<string, string>>;
}

export async function filtersOnHop(
  modules: ReadonlyMap<FilterName, Uint8Array<ArrayBuffer>>,
  folder: string,
  { rounds, seconds }: RoundOptions,
): Promise<FiltersOnHop> {
  await using stack = new AsyncDisposableStack();
  const originPort = freePorts(1)[0]!;
  stack.use(await startHaproxy(LOAD_CORE, originConfig(originPort)));
  await untilListening(originPort);
  const targets: Record<string, Target> = {};
  const target = (port: number, pid: number): Target => ({
    url: `http://127.0.0.1:${port}/`,
    pids: [pid],
    headers: [`User-Agent: ${AGENT}`],
  });
  const addDenim = async (name: string, module: string | null): Promise<void> => {
    const port = freePorts(1)[0]!;
    const config = proxyConfig(port, originPort) + (module === null ? "" : binding(name, module));
    const proxy = stack.use(await startProxy(PROXY_CORE, config));
    targets[name] = target(port, proxy.pid);
  };
  await addDenim("denim", null);
  for (const [name, bytes] of modules) {
    const { artefact } = await makeArtefact(bytes, { limits: { memoryMiB: MEMORY_MIB } });
    const variants = [[name, artefact], [`${name}-unmetered`, unmetered(artefact)]] as const;
    for (const [variant, admitted] of variants) {
      const path = `${folder}/${variant}.wasm`;
      await Deno.writeFile(path, admitted);
      await addDenim(variant, path);
    }
  }
  const envoyRefused: Record<string, string> = {};
  const addEnvoy = async (name: string, module: string | null): Promise<void> => {
    const port = freePorts(1)[0]!;
    const envoy = await startEnvoy(PROXY_CORE, envoyHopConfig(port, originPort, module));
    try {
      await untilListening(port, 3_000);
      targets[name] = target(port, envoy.pid);
      stack.use(envoy);
    } catch (problem) {
      envoyRefused[name] = String(problem);
      await envoy[Symbol.asyncDispose]();
    }
  };
  if (await isThere("envoy")) {
    await addEnvoy("envoy", null);
    for (const [name, bytes] of modules) {
      if (name === "typescript") continue; // a component
      const path = `${folder}/envoy-${name}.wasm`;
      await Deno.writeFile(path, bytes);
      await addEnvoy(`envoy-${name}`, path);
    }
  }
  for (const [name, one] of Object.entries(targets)) {
    if (!/^(?:denim|envoy)$|noop/.test(name)) await checkJob(name, one);
    await loadRound(one, CONNECTIONS, name.startsWith("envoy") ? 1 : 4);
  }
  const each = await alternate(
    rounds,
    Object.keys(targets),
    (name) => loadRound(targets[name]!, CONNECTIONS, seconds),
  );
  const added = Object.fromEntries([...modules.keys()].map((name) => [name, addedBy(name, each)]));
  const load = compare(each);
  return { connections: CONNECTIONS, bodyBytes: BODY_BYTES, added, load, envoyRefused };
}

function addedBy(name: FilterName, each: readonly Round<LoadFigures>[]): Added {
  const more = (contender: string, than: string): number =>
    round2(
      median(each.map((round) => round[contender]!.cpuUsPerRequest - round[than]!.cpuUsPerRequest)),
    );
  return {
    metered: more(name, "denim"),
    unmetered: more(`${name}-unmetered`, "denim"),
    envoy: each[0]?.[`envoy-${name}`] === undefined ? null : more(`envoy-${name}`, "envoy"),
  };
}

/** A filter that does not do its job would be cheap: both headers must be there, the request's as the origin sees it. */
async function checkJob(name: string, { url }: Target): Promise<void> {
  const response = await fetch(`${url}seen`, { headers: { "user-agent": AGENT } });
  const seen = (await response.text()).trim();
  if (seen === AGENT && response.headers.get("x-bench") === "on") return;
  throw new Error(
    `${name} does not do its job: the origin saw x-bench "${seen}", ` +
      `the client "${response.headers.get("x-bench")}"`,
  );
}

/** Answers as the origin of the other benches; at /seen it says what x-bench it got. */
function originConfig(port: number): string {
  return `${common()}frontend origin
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-bench)]" if { path /seen }
  http-request return status 200 content-type text/plain string "${"x".repeat(BODY_BYTES)}"
`;
}

function binding(name: string, path: string): string {
  return `---
apiVersion: denim.dev/v1
kind: FilterBinding
metadata: { name: ${name} }
spec:
  targetRefs: [{ kind: Gateway, name: edge }]
  module: { file: "${path}" }
  capabilities: [headers-read, headers-write]
  limits: { fuelPerSecond: 1000000000000 } # nothing else limits how many requests a second come
`;
}
