/** `denim history`: revisions, newest first. */
import type { RevisionView } from "../../control/view.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { OUTPUT_FLAG, outputForm, span, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim history [--limit N]",
  about: "Shows what was changed when and by whom, newest first.",
  flags: {
    limit: { value: "N", default: "20", help: "At most so many" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const limit = encodeURIComponent(args.text("limit"));
  const { revisions } = await client.get<{ revisions: RevisionView[] }>(
    `/revisions?limit=${limit}`,
  );
  if (form !== "table") console.log(structured(form, revisions));
  else if (revisions.length === 0) {
    console.log("Nothing was applied yet. Begin with: denim apply -f FILE");
  } else {
    console.log(table(
      ["REVISION", "AGE", "AUTHOR", "CHANGES", "MESSAGE"],
      revisions.map((one) => [
        String(one.revision),
        span(Date.now() - one.createdMs),
        one.author,
        summary(one),
        one.message,
      ]),
    ));
  }
  return EXIT.ok;
});

/** `+2 ~1 -1`. */
function summary({ changes }: RevisionView): string {
  const count = (action: string): number => changes.filter((one) => one.action === action).length;
  const parts = [["+", count("created")], ["~", count("updated")], [
    "-",
    count("deleted"),
  ]] as const;
  return parts.filter(([, n]) => n > 0).map(([sign, n]) => `${sign}${n}`).join(" ");
}
