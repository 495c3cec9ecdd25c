/** `denim`: finds the verb and loads it, and nothing else, so that a sidecar starts without the control plane's code. */
import { nearest } from "./args.ts";
import { ended, EXIT, type Verb } from "./verb.ts";

/** One row a verb; its module is loaded when it is asked for. */
const VERBS: Readonly<Record<string, { about: string; load: () => Promise<{ run: Verb }> }>> = {
  run: { about: "A whole mesh on this machine", load: () => import("./commands/run.ts") },
  control: { about: "Start a control plane", load: () => import("./commands/control.ts") },
  proxy: {
    about: "Start a sidecar, a gateway or a proxy of one file",
    load: () => import("./commands/proxy.ts"),
  },
  apply: { about: "Apply resources as one revision", load: () => import("./commands/apply.ts") },
  get: {
    about: "Show resources, proxies, services or filters",
    load: () => import("./commands/get.ts"),
  },
  delete: { about: "Delete a resource", load: () => import("./commands/delete.ts") },
  history: {
    about: "What was changed when and by whom",
    load: () => import("./commands/history.ts"),
  },
  diff: { about: "Compare two revisions", load: () => import("./commands/diff.ts") },
  rollback: {
    about: "Go back to a revision, by a new one",
    load: () => import("./commands/rollback.ts"),
  },
  revoke: {
    about: "Stop an identity or a certificate at once",
    load: () => import("./commands/revoke.ts"),
  },
  token: {
    about: "Make, list and revoke tokens for proxies, people and programs",
    load: () => import("./commands/token.ts"),
  },
  audit: { about: "Who did what, and who tried", load: () => import("./commands/audit.ts") },
  check: {
    about: "What will have expired by some moment, and whether anybody has to do something",
    load: () => import("./commands/check.ts"),
  },
  ca: { about: "The certificate authority", load: () => import("./commands/ca.ts") },
  top: {
    about: "What filters cost now, the dearest first",
    load: () => import("./commands/top.ts"),
  },
  filter: {
    about: "Write, build, publish and install filters",
    load: () => import("./commands/filter.ts"),
  },
};

/** The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(overview());
    return EXIT.ok;
  }
  const verb = VERBS[name];
  if (verb === undefined) {
    const near = nearest(name, Object.keys(VERBS));
    const meant = near === "" ? "denim --help lists the verbs" : `did you mean: denim ${near}?`;
    console.error(`There is no verb "${name}"; ${meant}`);
    return EXIT.usage;
  }
  return await ended(name, async () => await (await verb.load()).run(rest));
}

function overview(): string {
  const names = Object.keys(VERBS);
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const lines = names.map((name) => `  ${name.padEnd(width)}${VERBS[name]!.about}`);
  return [
    "denim: a service mesh in TypeScript",
    "",
    ...lines,
    "",
    "denim VERB --help explains a verb. The control plane is found by --control URL, else",
    "DENIM_CONTROL, else .denim/local.json, which denim run writes.",
  ].join("\n");
}

// Nothing may keep a finished command alive; servers resolve only when they are told to stop.
if (import.meta.main) Deno.exit(await main(Deno.args));
