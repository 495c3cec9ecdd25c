/** `denim revoke`: stops an identity or one certificate at once, everywhere. */
import type { Revocation } from "../../control/ca/revocations.ts";
import { type Args, parseDuration, UsageError } from "../args.ts";
import { author } from "../changes.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { moment, OUTPUT_FLAG, outputForm, span, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";
import { waitFor } from "../wait.ts";

export const run = verb({
  usage: "denim revoke IDENTITY|SERIAL [--reason TEXT] | --undo IDENTITY|SERIAL | --list",
  about:
    "Stops an identity (NAMESPACE/NAME or a SPIFFE id), or one certificate by its serial: every\n" +
    "proxy closes its connections, takes no new ones, and no new certificate is issued to it.\n" +
    "Returns when every connected proxy does so.",
  words: { min: 0, max: 1, names: "An identity or a serial" },
  flags: {
    reason: { value: "TEXT", help: "Why, for the list" },
    undo: { help: "Let it in again; for admins" },
    list: { help: "Show what is revoked, by whom and why" },
    expires: {
      value: "TIME",
      help: "Of a serial the issuance log does not know: how long its certificate may still live",
    },
    timeout: { value: "TIME", default: "10s", help: "How long to wait for proxies" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: [
    'denim revoke default/web --reason "its host was broken into"',
    "denim revoke 5F:3A:90:11:… ",
    "denim revoke --undo default/web",
  ],
}, async (args) => {
  const client = await Client.find(args);
  if (args.on("list")) return await list(client, args);
  const [subject] = args.words;
  if (subject === undefined) throw new UsageError("An identity or a serial is wanted");
  const startMs = performance.now();
  if (args.on("undo")) {
    const undone = await client.post<{ subject: string }>("/revocations/undo", {
      subject,
      author: author(),
    });
    console.log(`Not revoked any more: ${undone.subject}`);
  } else {
    const expires = args.find("expires");
    const { revocation, isNew } = await client.post<{ revocation: Revocation; isNew: boolean }>(
      "/revocations",
      {
        subject,
        reason: args.find("reason") ?? undefined,
        author: author(),
        expiresInMs: expires === null ? undefined : parseDuration("--expires", expires),
      },
    );
    console.log(`${isNew ? "Revoked" : "Was revoked before"}: ${revocation.subject}`);
  }
  // Revision 0 is everywhere: what is waited for is the trust that came with the newest snapshot.
  const proxies = await waitFor(client, 0, parseDuration("--timeout", args.text("timeout")));
  console.log(`In force at ${proxies} proxies after ${Math.ceil(performance.now() - startMs)} ms`);
  return EXIT.ok;
});

async function list(client: Client, args: Args): Promise<number> {
  const form = outputForm(args);
  const { revocations } = await client.get<{ revocations: Revocation[] }>("/revocations");
  if (form !== "table") console.log(structured(form, revocations));
  else if (revocations.length === 0) console.log("Nothing is revoked");
  else {
    console.log(table(
      ["SUBJECT", "AGE", "EXPIRES", "AUTHOR", "REASON"],
      revocations.map((one) => [
        one.subject,
        span(Date.now() - one.createdMs),
        one.expiresMs === null ? "never" : moment(one.expiresMs),
        one.author,
        one.reason,
      ]),
    ));
  }
  return EXIT.ok;
}
