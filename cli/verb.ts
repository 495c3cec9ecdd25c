/** What a verb is, and how it ends. */
import { type Args, type CommandSpec, helpText, parseArgs, UsageError } from "./args.ts";

/** Resolves with the exit code; rejects with a sentence. */
export type Verb = (args: readonly string[]) => Promise<number>;

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** A verb of its description and what it does. */
export function verb(spec: CommandSpec, work: (args: Args) => Promise<number>): Verb {
  return async (args) => {
    const parsed = parseArgs(spec, args);
    if (parsed !== null) return await work(parsed);
    console.log(helpText(spec));
    return EXIT.ok;
  };
}

/** The exit code of `run`, told if it rejects: people get the sentence; the stack is for who asks for it. */
export async function ended(name: string, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    const debug = Deno.env.get("DENIM_DEBUG") ?? "poison"; // which is for proxies (proxy/slab.ts)
    if (debug !== "poison") console.error(error);
    else console.error(error instanceof Error ? error.message : String(error));
    if (!(error instanceof UsageError)) return EXIT.failed;
    console.error(`denim ${name} --help shows how it is used`);
    return EXIT.usage;
  }
}

/** Resolves when the process is asked to stop: Ctrl-C, SIGTERM. A second Ctrl-C ends it at once. */
export function untilStopped(): Promise<Deno.Signal> {
  const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    let asked = false;
    Deno.addSignalListener(signal, () => {
      if (asked) Deno.exit(EXIT.failed);
      asked = true;
      resolve(signal);
    });
  }
  return promise;
}
