/** `denim ca …`: the trust domain's authority. One row for each sub-verb; its file is loaded when it is asked for. */
import type { Verb } from "../verb.ts";

interface Row {
  /** Words and flags after `denim ca`, as the overview shows them. */
  readonly usage: string;
  readonly about: string;
  readonly load: () => Promise<{ run: Verb }>;
}

const VERBS: Readonly<Record<string, Row>> = {
  show: {
    usage: "show",
    about: "roots, issuing certificates and how long they live",
    load: () => import("./ca_show.ts"),
  },
  rotate: {
    usage: "rotate --root|--intermediate",
    about: "replace one, step by step and without an outage",
    load: () => import("./ca_rotate.ts"),
  },
  status: {
    usage: "status",
    about: "where a rotation is, and whom it waits for",
    load: () => import("./ca_status.ts"),
  },
  abort: {
    usage: "abort",
    about: "go back from a rotation that is under way",
    load: () => import("./ca_abort.ts"),
  },
  import: {
    usage: "import --data DIR --chain FILE --key FILE",
    about: "a root and an intermediate of your own",
    load: () => import("./ca_import.ts"),
  },
};

/** The exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const row = Object.hasOwn(VERBS, name ?? "") ? VERBS[name!] : undefined;
  if (row !== undefined) return await (await row.load()).run(rest);
  const asked = name === undefined || name === "--help" || name === "-h";
  if (!asked) console.error(`denim ca has no verb "${name}"\n`);
  console.log(overview());
  return asked ? 0 : 2;
}

function overview(): string {
  const rows = Object.values(VERBS);
  const width = Math.max(...rows.map(({ usage }) => usage.length)) + 2;
  const lines = rows.map(({ usage, about }) => `  denim ca ${usage.padEnd(width)}${about}`);
  return ["denim ca: the certificate authority of the trust domain", "", ...lines].join("\n");
}
