/** Verbs that have verbs of their own, such as `denim ca show`: finds the one that is meant, or lists them. */
import { EXIT, type Verb } from "./verb.ts";

/** One row a sub-verb; its file is loaded when it is asked for. */
export interface SubVerb {
  /** Its name, then its words and flags, as the overview shows them. */
  readonly usage: string;
  readonly about: string;
  readonly load: () => Promise<{ run: Verb }>;
}

/** The verb `denim NAME`, which is about `about`. */
export function verbGroup(
  name: string,
  about: string,
  verbs: Readonly<Record<string, SubVerb>>,
): Verb {
  return async ([word, ...rest]) => {
    const verb = Object.hasOwn(verbs, word ?? "") ? verbs[word!] : undefined;
    if (verb !== undefined) return await (await verb.load()).run(rest);
    const asked = word === undefined || word === "--help" || word === "-h";
    if (!asked) console.error(`denim ${name} has no verb "${word}"\n`);
    console.log(overview(name, about, Object.values(verbs)));
    return asked ? EXIT.ok : EXIT.usage;
  };
}

function overview(name: string, about: string, verbs: readonly SubVerb[]): string {
  const width = Math.max(...verbs.map(({ usage }) => usage.length)) + 2;
  const lines = verbs.map(({ usage, about }) => `  denim ${name} ${usage.padEnd(width)}${about}`);
  return [`denim ${name}: ${about}`, "", ...lines].join("\n");
}
