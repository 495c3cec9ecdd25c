/** `denim audit certs`: what the authority issued, and whether anything was taken out of its log. */
import type { IssuanceFindings } from "../../control/ca/mod.ts";
import { parseDuration, UsageError } from "../args.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { moment, OUTPUT_FLAG, outputForm, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim audit certs [--identity ID] [--serial HEX] [--since TIME] [--limit N]",
  about:
    "Shows certificates the authority issued, newest first. Each line of its log holds the hash of\n" +
    "the one before: if one was taken out or changed this says where, and exits with 1. Note the\n" +
    "last line's number and hash elsewhere to find out whether the end was cut off.",
  flags: {
    identity: { value: "ID", help: "Only those for NAMESPACE/NAME, or a SPIFFE id" },
    serial: { value: "HEX", help: "Only the one with this serial" },
    since: { value: "TIME", help: "Only those issued after it: 24h ago, or 2026-11-24T03:30Z" },
    limit: { value: "N", default: "50", help: "At most so many" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: ["denim audit certs --identity default/web --since 7d"],
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const query = new URLSearchParams({ limit: args.text("limit") });
  for (const name of ["identity", "serial"]) {
    const value = args.find(name);
    if (value !== null) query.set(name, value);
  }
  const since = args.find("since");
  if (since !== null) query.set("since", timeOf(since));
  const findings = await client.get<IssuanceFindings>(`/audit/certs?${query}`);
  if (form !== "table") console.log(structured(form, findings));
  else console.log(text(findings));
  for (const one of findings.breaks) console.error(`The log is not whole: ${one}`);
  return findings.breaks.length === 0 ? EXIT.ok : EXIT.failed;
});

/** A time, or how long ago. */
function timeOf(since: string): string {
  if (/^\d{4}-/.test(since)) {
    const ms = Date.parse(since);
    if (!Number.isNaN(ms)) return new Date(ms).toISOString();
    throw new UsageError(`--since is "${since}"; wanted a time such as 2026-11-24T03:30Z, or 24h`);
  }
  return new Date(Date.now() - parseDuration("--since", since)).toISOString();
}

function text({ found, lines, first, head }: IssuanceFindings): string {
  const rows = found.map((one) => [
    moment(one.time),
    one.identity,
    one.serial,
    moment(one.notAfter),
    one.issuer ?? "",
  ]);
  return [
    found.length === 0
      ? "No such certificate was issued"
      : table(["ISSUED", "IDENTITY", "SERIAL", "ENDS", "ISSUER"], rows),
    "",
    `${lines} lines from line ${first} on; the last is line ${head.n}, sha256 ${head.sha256}`,
  ].join("\n");
}
