/** The example filters of the demo: built, signed with a key of this machine and pushed like anybody's. */
import { parse } from "yaml";
import { pushFilter } from "../filters/push.ts";
import type { ControlClient } from "./control_client.ts";

const EXAMPLES = new URL("../../examples/filters/", import.meta.url).pathname;

/** Offered in the marketplace; those with `bound` stand before a demo service from the start. */
const FILTERS: readonly { readonly folder: string; readonly bound: boolean }[] = [
  { folder: "wat-security-headers", bound: true },
  { folder: "as-visitor-groups", bound: true },
  { folder: "ts-redact", bound: true },
  // Broken on purpose: for people to try what a limit does.
  { folder: "loop-forever", bound: false },
];

export interface ExampleOptions {
  readonly keyDir: string;
  readonly say: (sentence: string) => void;
}

/**
 * Admits the examples that are not admitted yet and gives the YAML that binds them. One that cannot be
 * built (its compiler is not installed and cannot be had) is told and left out: the mesh works without.
 */
export async function pushExamples(
  control: ControlClient,
  options: ExampleOptions,
): Promise<string> {
  const admitted = await admittedVersions(control);
  if (admitted.size === 0) options.say("Building and admitting the example filters");
  const bindings = await Promise.all(FILTERS.map(async ({ folder, bound }) => {
    const dir = `${EXAMPLES}${folder}`;
    try {
      const { name, version } = parse(await Deno.readTextFile(`${dir}/denim.filter.yaml`));
      if (!admitted.has(`${name}@${version}`)) {
        await pushFilter(dir, { url: control.url, token: control.token }, {
          keyDir: options.keyDir,
        });
      }
      return bound ? await Deno.readTextFile(`${dir}/binding.yaml`) : "";
    } catch (problem) {
      const why = problem instanceof Error ? problem.message : String(problem);
      options.say(`The example filter ${folder} is left out: ${why}`);
      return "";
    }
  }));
  return bindings.filter((one) => one !== "").join("---\n");
}

async function admittedVersions(control: ControlClient): Promise<ReadonlySet<string>> {
  const { filters } = await control.get("/api/v1/filters") as {
    filters: { name: string; version: string }[];
  };
  return new Set(filters.map((one) => `${one.name}@${one.version}`));
}
