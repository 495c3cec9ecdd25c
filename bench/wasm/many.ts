/** What a hundred filters cost one proxy in memory and start: a hundred bindings of ten modules, and the same without. */
import { makeArtefact } from "../../control/market/artefact.ts";
import { proxyConfig, startProxy } from "../denim.ts";
import { median } from "../figures.ts";
import { LOAD_CORE, loadRound, PROXY_CORE } from "../load.ts";
import { originConfig, startHaproxy } from "../peers/haproxy.ts";
import { freePorts, memoryOf, untilListening } from "../process.ts";
import { another } from "./another.ts";
import type { FilterName } from "./modules.ts";

const MODULES = 10, BINDINGS = 100, STARTS = 3, MEMORY_MIB = 16;
const LANGUAGES: readonly FilterName[] = ["noop", "assemblyscript", "rust"];

export interface ManyFilters {
  readonly modules: number;
  readonly bindings: number;
  /** Which languages the modules are of. */
  readonly languages: readonly FilterName[];
  /** Resident memory after start and some load; medians over starts. */
  readonly bytesWith: number;
  readonly bytesWithout: number;
  readonly readyMsWith: number;
  readonly readyMsWithout: number;
}

/** Languages take turns until there are ten modules, each different from every other. */
export async function manyFilters(
  built: ReadonlyMap<FilterName, Uint8Array<ArrayBuffer>>,
  folder: string,
): Promise<ManyFilters> {
  const there = LANGUAGES.filter((name) => built.has(name));
  const paths: string[] = [];
  for (let n = 0; n < MODULES; n++) {
    const name = there[n % there.length]!;
    const path = `${folder}/many-${n}.wasm`;
    const { artefact } = await makeArtefact(another(built.get(name)!, n), {
      limits: { memoryMiB: MEMORY_MIB },
    });
    await Deno.writeFile(path, artefact);
    paths.push(path);
  }
  const bindings = Array.from(
    { length: BINDINGS },
    (_, n) => binding(n, paths[n % MODULES]!),
  ).join("");
  const originPort = freePorts(1)[0]!;
  await using _origin = await startHaproxy(LOAD_CORE, originConfig(originPort, 1024));
  await untilListening(originPort);
  const starts = async (more: string): Promise<Started[]> => {
    const all: Started[] = [];
    for (let start = 0; start < STARTS; start++) all.push(await once(originPort, more));
    return all;
  };
  const without = await starts(""), loaded = await starts(bindings);
  const of = (all: readonly Started[], figure: keyof Started): number =>
    Math.round(median(all.map((one) => one[figure])));
  return {
    modules: MODULES,
    bindings: BINDINGS,
    languages: there,
    bytesWith: of(loaded, "bytes"),
    bytesWithout: of(without, "bytes"),
    readyMsWith: of(loaded, "readyMs"),
    readyMsWithout: of(without, "readyMs"),
  };
}

interface Started {
  readonly bytes: number;
  readonly readyMs: number;
}

/** Every request passes all filters: a filter that was never called holds less. */
async function once(originPort: number, bindings: string): Promise<Started> {
  const port = freePorts(1)[0]!;
  await using proxy = await startProxy(PROXY_CORE, proxyConfig(port, originPort) + bindings);
  await loadRound({ url: `http://127.0.0.1:${port}/`, pids: [proxy.pid] }, 32, 2);
  return { bytes: memoryOf(proxy.pid).rssBytes, readyMs: proxy.readyMs };
}

function binding(n: number, path: string): string {
  return `---
apiVersion: denim.dev/v1
kind: FilterBinding
metadata: { name: filter-${n} }
spec:
  targetRefs: [{ kind: Gateway, name: edge }]
  module: { file: "${path}" }
  capabilities: [headers-read, headers-write]
`;
}
