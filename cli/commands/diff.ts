/** `denim diff`: what changed from one revision to another. */
import { stringify } from "yaml";
import { type Change, changeLine } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { OUTPUT_FLAG, outputForm, structured } from "../output.ts";
import { diffLines } from "../text_diff.ts";
import { EXIT, verb } from "../verb.ts";

interface Difference {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly (Change & { readonly before: unknown; readonly after: unknown })[];
}

export const run = verb({
  usage: "denim diff [FROM] TO",
  about:
    "Shows what changed from one revision to another; with one number, what that revision did.\n" +
    "What a file would change: denim apply --dry-run -f FILE",
  words: { min: 1, max: 2, names: "A revision (denim history shows them)" },
  flags: { ...OUTPUT_FLAG, ...CLIENT_FLAGS },
  examples: ["denim diff 7", "denim diff 3 7"],
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const [first, second] = args.words;
  const query = new URLSearchParams({ to: second ?? first! });
  if (second !== undefined) query.set("from", first!);
  const difference = await client.get<Difference>(`/diff?${query}`);
  if (form !== "table") console.log(structured(form, difference));
  else if (difference.changes.length === 0) {
    console.log(`Revisions ${difference.from} and ${difference.to} are the same`);
  } else {
    for (const change of difference.changes) {
      console.log(changeLine(change));
      for (const line of diffLines(text(change.before), text(change.after))) {
        console.log(`  ${line}`);
      }
    }
  }
  return EXIT.ok;
});

/** Without what the store itself counts. */
function text(resource: unknown): string {
  if (resource === null) return "";
  const { apiVersion, kind, metadata, ...rest } = resource as Record<string, unknown> & {
    metadata: Record<string, unknown>;
  };
  const { creationTimestamp: _created, generation: _generation, ...own } = metadata;
  return stringify({ apiVersion, kind, metadata: own, ...rest });
}
