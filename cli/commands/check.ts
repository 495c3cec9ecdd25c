/** `denim check`: whether the mesh will still stand at some moment, for people, CI and cron. */
import type { Finding, Forecast } from "../../control/forecast.ts";
import { parseDuration, UsageError } from "../args.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { moment, OUTPUT_FLAG, outputForm, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim check --at +30d|DATE",
  about:
    "Says which certificates will have ended by then, and whether what renews them works today:\n" +
    "whether the root's key is there, proxies are connected and have renewed when they should.\n" +
    "Exit code 1 when somebody has to do something before.",
  flags: {
    at: { value: "TIME", default: "+30d", help: "+30d, +12h or 2030-01-31[T12:00:00Z]" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: ["denim check --at +30d || mail -s 'the mesh wants attention' ops"],
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const at = new Date(momentOf(args.text("at"), Date.now())).toISOString();
  const found = await client.get<Forecast>(`/forecast?at=${encodeURIComponent(at)}`);
  console.log(form === "table" ? text(found) : structured(form, found));
  return found.due === 0 ? EXIT.ok : EXIT.failed;
});

/** Unix milliseconds of `+30d` from now, or of a date. */
export function momentOf(word: string, nowMs: number): number {
  if (word.startsWith("+")) return nowMs + parseDuration("--at", word.slice(1));
  const ms = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(word)
    ? Date.parse(word)
    : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new UsageError(`--at is "${word}"; wanted +30d, or a date such as 2030-01-31`);
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function text({ atMs, findings, counts, due, refusing }: Forecast): string {
  const { roots, intermediates, leafs, secrets } = counts;
  const looked = `looked at ${count(roots, "root")}, ${count(intermediates, "intermediate")}, ` +
    `${count(leafs, "leaf")} of proxies and ${count(secrets, "Secret")}`;
  const at = moment(atMs);
  const waits = refusing.map(({ id, reason }) =>
    `A root's rotation would wait for ${id}, which refuses what it is sent: ${reason}`
  );
  if (findings.length === 0) {
    return [`Nothing will have ended by ${at}: ${looked}`, ...waits].join("\n");
  }
  const row = (one: Finding): string[] => [
    one.outlook === "due" ? "DUE" : "fine",
    one.what,
    one.name,
    moment(one.endsMs),
    one.why,
  ];
  return [
    table(["", "WHAT", "NAME", "ENDS", "WHY"], findings.map(row)),
    "",
    due === 0
      ? `All that ends by ${at} is renewed by itself: ${looked}`
      : `${due} of ${findings.length} that end by ${at} want somebody: ${looked}`,
    ...waits,
  ].join("\n");
}
