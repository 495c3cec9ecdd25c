/** `denim filter fuzz`: random requests, responses and configurations through a filter; what breaks it becomes a case. */
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { seededRandom } from "../../core/clock.ts";
import { type Finding, type Judge, judge, shrink } from "../filters/fuzz/judge.ts";
import { Inputs, wordsOf } from "../filters/fuzz/inputs.ts";
import { readFlags, runVerb, UsageError } from "../filters/options.ts";
import { readCases } from "../filters/stage/case_file.ts";
import { loadFilter } from "../filters/stage/load.ts";

/** Different mistakes of one run; who has more begins with these. */
const FINDINGS_LIMIT = 20;

/** Exit codes: 0 nothing found, 1 something was found or the filter does not build, 2 misuse. */
export async function filterFuzz(args: readonly string[]): Promise<number> {
  let found = 0;
  const code = await runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      runs: { type: "string", default: "500" },
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      fuel: { type: "string" },
      "cache-dir": { type: "string", default: ".denim/build" },
    });
    const path = positionals[0] ?? ".";
    const runs = whole("--runs", values.runs), seconds = whole("--seconds", values.seconds);
    const seed = values.seed === undefined
      ? Math.floor(Math.random() * 1e9)
      : whole("--seed", values.seed);
    const { built, staged, dir } = await loadFilter(path, values["cache-dir"] as string);
    const fuel = values.fuel === undefined ? staged.fuelPerCall / 4 : whole("--fuel", values.fuel);
    const by: Judge = { staged, manifest: built.manifest, fuel };
    const bases = (await readCases(dir)).flatMap((file) => file.cases);
    const inputs = new Inputs(
      seededRandom(seed),
      bases,
      wordsOf(staged.artefact),
      built.manifest.config,
    );
    console.log(`${built.manifest.name}: ${runs} runs or ${seconds} s, --seed ${seed}`);
    const findings = new Map<string, Finding>();
    const costs: number[] = [];
    let refused = 0;
    const deadline = performance.now() + seconds * 1000;
    for (let n = 0; n < runs && performance.now() < deadline; n++) {
      const { finding, fuel } = await judge(by, inputs.next());
      if (fuel < 0) refused++;
      else costs.push(fuel);
      if (finding === null || findings.size >= FINDINGS_LIMIT) continue;
      const key = `${finding.kind} ${finding.what}`;
      if (findings.has(key)) continue;
      findings.set(key, finding);
      const small = await shrink(by, finding);
      const file = await save(dir, small, fuel, by.fuel);
      console.log(
        `FOUND  ${finding.kind}: ${finding.what}\n       ${small.test.request.method} ${
          small.test.request.path.slice(0, 100)
        }\n       ${file}`,
      );
    }
    found = findings.size;
    costs.sort((a, b) => a - b);
    const most = costs.at(-1) ?? 0, median = costs[costs.length >> 1] ?? 0;
    console.log(
      `${costs.length} runs${
        refused === 0 ? "" : `, ${refused} with a configuration it refused`
      }; fuel of the ` +
        `dearest call: ${median} as a rule, ${most} at most; ${
          found === 0 ? "nothing found" : `${found} found`
        }`,
    );
    if (found > 0) console.log(`denim filter test ${path} has them again.`);
  });
  return code === 0 && found > 0 ? 1 : code;
}

/** Writes the case beside the others and says where. */
async function save(
  dir: string,
  { kind, what, test }: Finding,
  fuel: number,
  limit: number,
): Promise<string> {
  const { request, response, calls, kv, config, seed } = test;
  const expect = kind === "fuel" ? { fuel: { call: limit } } : {};
  const one = {
    name: `fuzz: ${kind}: ${what}`.slice(0, 120),
    seed,
    ...(config === undefined ? {} : { config }),
    ...(calls.length === 0 ? {} : { calls }),
    ...(Object.keys(kv).length === 0 ? {} : { kv }),
    request: bare(request),
    response: bare(response),
    expect,
  };
  const head = kind === "random"
    ? "# The same input gave two results: look for a clock, chance or state the case does not fix.\n"
    : `# Found by denim filter fuzz${
      kind === "fuel" ? `: ${fuel} fuel` : ""
    }. It fails until that is mended.\n`;
  const text = head + stringify({ cases: [one] });
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${kind} ${what}`)),
  );
  const file = join(dir, "tests", `fuzz-${kind}-${digest.toHex().slice(0, 8)}.yaml`);
  await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeTextFile(file, text);
  return file;
}

/** Without what is empty or as it is anyway. */
function bare(message: object): Record<string, unknown> {
  const usual: Record<string, unknown> = {
    method: "GET",
    scheme: "http",
    authority: "app.example",
    path: "/",
    peer: "",
    status: 200,
  };
  return Object.fromEntries(
    Object.entries(message).filter(([name, value]) => {
      if (value === "" || value === usual[name]) return false;
      return typeof value !== "object" || Object.keys(value).length > 0;
    }),
  );
}

function whole(flag: string, value: unknown): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new UsageError(`${flag} is "${value}"; wanted a whole number above 0`);
}
