/** `denim rollback`: a new revision that equals an old one. */
import { parseDuration } from "../args.ts";
import { type Applied, appliedText, author } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { EXIT, verb } from "../verb.ts";
import { UsageError } from "../args.ts";
import { waitFor } from "../wait.ts";

export const run = verb({
  usage: "denim rollback REVISION [-m MESSAGE] [--dry-run] [--wait]",
  about: "Brings all resources back to what they were in a revision, by making a new one.",
  words: { min: 1, max: 1, names: "A revision" },
  flags: {
    message: { value: "TEXT", short: "m", help: "Why, for the history" },
    "dry-run": { help: "Only show what would change" },
    wait: { help: "Until every proxy has it in force" },
    timeout: { value: "TIME", default: "30s", help: "How long --wait waits" },
    ...CLIENT_FLAGS,
  },
}, async (args) => {
  const [word] = args.words;
  if (!/^\d{1,12}$/.test(word!)) {
    throw new UsageError(`"${word}" is no revision; denim history lists them`);
  }
  const client = await Client.find(args);
  const dryRun = args.on("dry-run");
  const applied = await client.post<Applied>("/rollback", {
    revision: Number(word),
    message: args.find("message") ?? undefined,
    author: author(),
    dryRun,
  });
  console.log(appliedText(applied));
  if (args.on("wait") && !dryRun) {
    await waitFor(client, applied.revision, parseDuration("--timeout", args.text("timeout")));
    console.log("In force");
  }
  return EXIT.ok;
});
