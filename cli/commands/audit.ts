/** `denim audit …`: what was done, and by whom. One row for each sub-verb; its file is loaded when it is asked for. */
import type { Verb } from "../verb.ts";

interface Row {
  /** Words and flags after `denim audit`, as the overview shows them. */
  readonly usage: string;
  readonly about: string;
  readonly load: () => Promise<{ run: Verb }>;
}

const VERBS: Readonly<Record<string, Row>> = {
  log: {
    usage: "log [--limit N] [--result RESULT]",
    about: "changes and refused attempts: who, what, from where",
    load: () => import("./audit_log.ts"),
  },
  certs: {
    usage: "certs [--identity ID] [--serial HEX] [--since TIME]",
    about: "certificates that were issued, and whether their log is whole",
    load: () => import("./audit_certs.ts"),
  },
};

/** The exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const row = Object.hasOwn(VERBS, name ?? "") ? VERBS[name!] : undefined;
  if (row !== undefined) return await (await row.load()).run(rest);
  const asked = name === undefined || name === "--help" || name === "-h";
  if (!asked) console.error(`denim audit has no verb "${name}"\n`);
  console.log(overview());
  return asked ? 0 : 2;
}

function overview(): string {
  const rows = Object.values(VERBS);
  const width = Math.max(...rows.map(({ usage }) => usage.length)) + 2;
  const lines = rows.map(({ usage, about }) => `  denim audit ${usage.padEnd(width)}${about}`);
  return ["denim audit: what was done in the mesh, and by whom", "", ...lines].join("\n");
}
