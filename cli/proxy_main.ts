/** `denim proxy` under a control plane and no other verb: where the program in one file begins (program.ts). */
import { run } from "./commands/proxy.ts";
import { ended } from "./verb.ts";

const [verb, ...args] = Deno.args;
if (verb !== "proxy") console.error(`This program is a proxy and knows no "${verb}"`);
Deno.exit(await ended("proxy", () => run(args)));
