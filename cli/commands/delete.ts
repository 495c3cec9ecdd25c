/** `denim delete`: one resource, as a revision. */
import { type Applied, appliedText, author } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim delete KIND NAME [-n NAMESPACE] [-m MESSAGE]",
  about: "Deletes one resource, as a revision. Refused when another resource still names it.",
  words: { min: 2, max: 2, names: "KIND NAME" },
  flags: {
    namespace: { value: "NAME", short: "n", default: "default", help: "Of the resource" },
    message: { value: "TEXT", short: "m", help: "Why, for the history" },
    ...CLIENT_FLAGS,
  },
  examples: ["denim delete httproute reviews"],
}, async (args) => {
  const client = await Client.find(args);
  const [kind, name] = args.words;
  const query = new URLSearchParams();
  for (const [key, value] of [["message", args.find("message")], ["author", author()]] as const) {
    if (typeof value === "string") query.set(key, value);
  }
  const path = [kind!, args.text("namespace"), name!].map(encodeURIComponent).join("/");
  console.log(appliedText(await client.delete<Applied>(`/resources/${path}?${query}`)));
  return EXIT.ok;
});
