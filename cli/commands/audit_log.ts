/** `denim audit log`: changes and refused attempts, newest first. */
import type { AuditEntry } from "../../control/audit/log.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { moment, OUTPUT_FLAG, outputForm, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim audit log [--limit N] [--result done|refused|failed]",
  about: "Shows who did what, when, from where and with which result, newest first. For admins.",
  flags: {
    limit: { value: "N", default: "50", help: "At most so many" },
    result: { value: "RESULT", help: "Only what was done, refused or failed" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: ["denim audit log --result refused"],
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const query = new URLSearchParams({ limit: args.text("limit") });
  const result = args.find("result");
  if (result !== null) query.set("result", result);
  const { entries } = await client.get<{ entries: AuditEntry[] }>(`/audit?${query}`);
  if (form !== "table") console.log(structured(form, entries));
  else if (entries.length === 0) console.log("Nothing of that kind was done or tried");
  else {
    console.log(table(
      ["TIME", "WHO", "BY", "FROM", "WHAT", "RESULT", "ABOUT"],
      entries.map((one) => [
        moment(one.time),
        one.who,
        one.proof,
        one.from,
        one.what,
        one.code === "" ? one.result : `${one.result} (${one.code})`,
        one.target +
        (one.unwritten === undefined ? "" : ` (${one.unwritten} refusals not written)`),
      ]),
    ));
  }
  return EXIT.ok;
});
