/** `denim filter new | dev | test | fuzz | explain | build | push | install`: from nothing to a filter in the mesh. */
import { ended } from "../verb.ts";
import { filterBuild } from "./filter_build.ts";
import { filterDev } from "./filter_dev.ts";
import { filterExplain } from "./filter_explain.ts";
import { filterFuzz } from "./filter_fuzz.ts";
import { filterInstall } from "./filter_install.ts";
import { filterNew } from "./filter_new.ts";
import { filterPush } from "./filter_push.ts";
import { filterTraps } from "./filter_traps.ts";
import { filterTest } from "./filter_test_verb.ts";

const USAGE = `denim filter: write, build and publish filters

  denim filter new NAME [--lang ts|as|rust|go|c|wat] [--publisher NAME]   a folder with a filter that works
  denim filter dev [DIR] [--upstream URL] [--listen PORT]       run it, and follow every change of its code
  denim filter build DIR [-o FILE] [--admitted FILE]            compile, and say what it is and may touch
  denim filter test [DIR] [--update] [--junit FILE] [-o json]   run the cases in DIR/tests/*.yaml
  denim filter fuzz [DIR] [--runs N] [--seed N] [--fuel N]      random inputs; what breaks it becomes a case
  denim filter explain FILE.wasm|DIR [--json]                   what it is, may touch and would cost
  denim filter push DIR                                         build, sign and upload it
  denim filter install NAME[@VERSION] --to KIND/NAME            bind it to a Service, HTTPRoute or Gateway
  denim filter traps BINDING [ID] [--save FILE]                 why it trapped, and a test case of it

  denim get filters                                             what is admitted, and what it costs`;

type Verb = (args: readonly string[]) => Promise<number>;

const VERBS: Readonly<Record<string, Verb>> = {
  new: filterNew,
  build: filterBuild,
  dev: filterDev,
  test: filterTest,
  fuzz: filterFuzz,
  explain: filterExplain,
  push: filterPush,
  install: filterInstall,
  traps: (args) => ended("filter traps", () => filterTraps(args)),
};

/** The exit code. */
export async function filter(args: readonly string[]): Promise<number> {
  const verb = VERBS[args[0] ?? ""];
  if (verb !== undefined) return await verb(args.slice(1));
  const asked = args[0] === undefined || args[0] === "--help" || args[0] === "-h";
  if (!asked) console.error(`denim filter has no verb "${args[0]}"\n`);
  console.log(USAGE);
  return asked ? 0 : 2;
}

export { filter as run };
