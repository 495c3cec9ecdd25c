/** `denim filter traps`: what made a filter trap, and a test case of it. */
import type { TrapReport } from "../../wasm/trap_report.ts";
import type { FilterBinding } from "../../control/schema/filter_binding.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { trapCase } from "../filters/trap_case.ts";
import { OUTPUT_FLAG, outputForm, span, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

interface Row {
  readonly proxy: string;
  readonly trap: TrapReport;
}

export const filterTraps = verb({
  usage: "denim filter traps BINDING [ID] [--save FILE] [-n NAMESPACE] [-o yaml|json]",
  about:
    "Lists the last traps of a filter; with ID shows one: functions, host calls, fuel, and the\n" +
    "exchange that triggered it without what looks like a secret. --save makes it a case for\n" +
    "denim filter test.",
  words: { min: 1, max: 2, names: "BINDING, the name of a FilterBinding," },
  flags: {
    namespace: { value: "NAME", short: "n", default: "default", help: "The binding's namespace" },
    save: {
      value: "FILE",
      help: "Write the trap (the newest, without ID) as a file of test cases",
    },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: [
    "denim filter traps tag",
    "denim filter traps tag m1x2-1 --save my-filter/tests/trap.yaml",
  ],
}, async (args) => {
  const client = await Client.find(args);
  const [word, id] = args.words;
  const name = word!.includes("/") ? word! : `${args.find("namespace")}/${word}`;
  const { traps } = await client.get<{ traps: Row[] }>(
    `/traps?binding=${encodeURIComponent(name)}`,
  );
  const found = traps.filter(({ trap }) => id === undefined || trap.id === id);
  if (found.length === 0) {
    const what = id === undefined ? "No trap" : `No trap "${id}"`;
    throw new Error(`${what} of ${name} is known; denim get filters shows which filters trapped`);
  }
  const file = args.find("save");
  if (file !== null) {
    const { trap } = found.at(-1)!;
    await Deno.writeTextFile(file, trapCase(trap, await configOf(client, name)));
    console.log(`${file} has a case of trap ${trap.id}. Run it with: denim filter test DIR`);
    return EXIT.ok;
  }
  const form = outputForm(args);
  if (form !== "table") console.log(structured(form, found));
  else if (id === undefined) console.log(trapTable(found, Date.now()));
  else console.log(found.map(trapText).join("\n\n"));
  return EXIT.ok;
});

/** The binding's own configuration; one that is left to the manifest stands there. */
async function configOf(client: Client, name: string): Promise<string> {
  const { resources } = await client.get<{ resources: FilterBinding[] }>(
    "/resources/FilterBinding",
  );
  const binding = resources.find(({ metadata }) =>
    `${metadata.namespace}/${metadata.name}` === name
  );
  const config = binding?.spec.config;
  if (config === undefined) return "";
  return typeof config === "string" ? config : JSON.stringify(config);
}

function trapTable(rows: readonly Row[], nowMs: number): string {
  return table(
    ["ID", "AGE", "PROXY", "ROUTE", "FUEL", "WHAT"],
    rows.map(({ proxy, trap }) => [
      trap.id,
      span(nowMs - trap.atMs),
      proxy,
      trap.route === "" ? "-" : trap.route,
      `${trap.fuelUsed} of ${trap.fuelLimit}`,
      trap.text,
    ]),
  );
}

function trapText({ proxy, trap }: Row): string {
  const { input } = trap;
  const lines = [
    `${trap.id}  ${new Date(trap.atMs).toISOString()}  ${proxy}`,
    `  filter    ${trap.filter}  ${trap.digest}`,
    `  what      ${trap.text}`,
    `  fuel      ${trap.fuelUsed} of ${trap.fuelLimit} in ${trap.entry}`,
    `  memory    ${trap.memoryBytes} bytes`,
    `  route     ${trap.route}  backend ${trap.backend}  version ${trap.revision.slice(0, 12)}`,
    "  last host calls",
    ...(trap.hostCalls.length === 0 ? ["    none"] : trap.hostCalls.map((call) => `    ${call}`)),
  ];
  if (input === null) return [...lines, "  no exchange was concerned"].join("\n");
  lines.push(`  exchange  ${input.method} ${input.scheme}://${input.authority}${input.path}`);
  for (let i = 0; i < input.headers.length; i += 2) {
    lines.push(`    ${input.headers[i]}: ${input.headers[i + 1]}`);
  }
  if (input.body !== undefined) lines.push(`    ${input.body.bytes} bytes of body held`);
  if (input.response !== undefined) lines.push(`    answered ${input.response.status}`);
  return lines.join("\n");
}
