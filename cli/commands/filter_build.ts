/** `denim filter build`: compiles a filter and says what came out: size, language, hooks, what it may touch and costs. */
import { buildFilter, type BuiltFilter, configText } from "../../control/market/mod.ts";
import { type Artefact, makeArtefact } from "../../control/market/artefact.ts";
import { runTrial, type TrialResult } from "../../control/market/trial.ts";
import { sha256 } from "../../wasm/filter.ts";
import { readFlags, runVerb } from "../filters/options.ts";

/** What one build came to. */
interface Report {
  readonly name: string;
  readonly version: string;
  readonly abi: string;
  readonly language: string;
  /** Of the bytes that are pushed: the same sources and compilers give the same. */
  readonly digest: string;
  readonly cached: boolean;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly meteredBytes: number;
  readonly hooks: readonly string[];
  readonly capabilities: readonly string[];
  readonly limits: { readonly fuelPerCall: number; readonly memoryMiB: number };
  /** On the reference trace; null: it does not start with its own configuration, as `warnings` says. */
  readonly cost: {
    readonly fuelPerCall: number;
    readonly fuelMean: number;
    readonly usPerCall: number;
    readonly startMs: number;
    readonly memoryBytes: number;
  } | null;
  readonly warnings: readonly string[];
}

export function filterBuild(args: readonly string[]): Promise<number> {
  return runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      output: { type: "string", short: "o" },
      admitted: { type: "string" },
      json: { type: "boolean", default: false },
      "cache-dir": { type: "string", default: ".denim/build" },
    });
    const path = positionals[0] ?? ".";
    const built = await buildFilter(path, { cacheDir: values["cache-dir"] as string });
    const made = await makeArtefact(built.bytes, built.manifest);
    const report = await reportOf(built, made);
    console.log(values.json === true ? JSON.stringify(report, null, 2) : reportText(report));
    if (typeof values.output === "string") await Deno.writeFile(values.output, built.bytes);
    // What a standalone proxy runs: metered, so that it needs no compiler itself.
    if (typeof values.admitted === "string") await Deno.writeFile(values.admitted, made.artefact);
  });
}

async function reportOf(built: BuiltFilter, made: Artefact): Promise<Report> {
  const { manifest, bytes } = built;
  const { inspection, artefact, abi } = made;
  const warnings = inspection.unknownImports.map((name) =>
    `imports ${name}, which no host here has; calling it fails`
  );
  const trial = await tryOut(built, made).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    warnings.push(`it does not start with the configuration of denim.filter.yaml: ${reason}`);
    return null;
  });
  if (trial !== null && trial.lastTrap !== "") warnings.push(`it traps: ${trial.lastTrap}`);
  const { fuelPerCall, fuelMean, usPerCall, instantiateMs, memoryBytes } = trial?.measured ?? {};
  return {
    name: manifest.name,
    version: manifest.version,
    abi: inspection.abi,
    language: abi === "component" ? manifest.language ?? inspection.language : inspection.language,
    digest: await sha256(bytes),
    cached: built.cached,
    bytes: bytes.length,
    gzipBytes: await gzipSize(bytes),
    meteredBytes: artefact.length,
    hooks: trial?.hooks ?? inspection.hooks,
    capabilities: inspection.capabilities,
    limits: manifest.limits,
    cost: trial === null ? null : {
      fuelPerCall: fuelPerCall!,
      fuelMean: fuelMean!,
      usPerCall: usPerCall!,
      startMs: instantiateMs!,
      memoryBytes: memoryBytes!,
    },
    warnings,
  };
}

async function tryOut({ manifest }: BuiltFilter, made: Artefact): Promise<TrialResult> {
  return await runTrial({
    abi: made.abi,
    bytes: made.artefact,
    digest: await sha256(made.artefact),
    name: manifest.name,
    config: configText(manifest),
    fuelPerCall: manifest.limits.fuelPerCall,
    memoryBytes: manifest.limits.memoryMiB * 1024 * 1024,
    capabilities: made.inspection.capabilities,
  });
}

async function gzipSize(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const zipped = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(zipped).arrayBuffer()).byteLength;
}

function reportText(report: Report): string {
  const { cost, limits } = report;
  return [
    `${report.name}@${report.version}, ${report.abi}${report.cached ? ", unchanged" : ""}`,
    `  built     ${report.bytes} bytes, ${report.gzipBytes} with gzip; metered ${report.meteredBytes} bytes`,
    `  digest    ${report.digest}`,
    `  hooks     ${report.hooks.join(", ") || "nothing"}`,
    `  may touch ${report.capabilities.join(", ") || "nothing"}`,
    ...(cost === null ? [] : [
      `  costs     ${cost.fuelMean} fuel a call, ${cost.fuelPerCall} at most; ${cost.usPerCall} µs; ` +
      `${cost.startMs} ms to start, ${cost.memoryBytes} bytes of memory`,
    ]),
    `  limits    ${limits.fuelPerCall} fuel a call, ${limits.memoryMiB} MiB`,
    ...report.warnings.map((text) => `  warning   ${text}`),
  ].join("\n");
}
