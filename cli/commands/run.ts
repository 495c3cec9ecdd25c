/** `denim run`: a whole mesh on this machine, until Ctrl-C. */
import { resolve } from "node:path";
import { UsageError } from "../args.ts";
import { LocalError } from "../local/explain.ts";
import { pushExamples } from "../local/examples.ts";
import { anyEnded, launchers } from "../local/launchers.ts";
import { Mesh } from "../local/mesh.ts";
import { DEMO_PLAN, DEMO_RESOURCES, portNames } from "../local/plan.ts";
import { choosePorts } from "../local/ports.ts";
import { StateFolder } from "../local/state.ts";
import { tell } from "../local/tell.ts";
import { proxyProgram } from "../program.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim run [flags]",
  about:
    "Starts a mesh on this machine, each part a process of its own: a control plane, a gateway and\n" +
    "three demo services with a sidecar each. Prints what runs where and what to try. Ctrl-C stops\n" +
    "all of it; the next start takes up its state.",
  flags: {
    json: { help: "Print the content of local.json instead of a table" },
    fresh: { help: "Begin with an empty mesh instead of the state of the last start" },
    port: { value: "N", help: "Port of the gateway; else a free one, the same at the next start" },
    "control-port": { value: "N", help: "Port of the API and pages; else a free one" },
    dir: { value: "DIR", default: ".denim", help: "Folder for state and logs" },
    "no-filters": { help: "Do not build and admit the example filters" },
  },
  examples: ["deno task run", "deno task run --fresh --port 8080"],
}, async (args) => {
  const flags: Flags = {
    json: args.on("json"),
    filters: !args.on("no-filters"),
    fixed: {
      ...portFlag("--port", "gateway", args.find("port")),
      ...portFlag("--control-port", "control", args.find("control-port")),
    },
  };
  using folder = StateFolder.open(resolve(args.text("dir")), { fresh: args.on("fresh") });
  await runIn(folder, flags);
  return EXIT.ok;
});

interface Flags {
  readonly json: boolean;
  readonly filters: boolean;
  readonly fixed: Readonly<Record<string, number>>;
}

async function runIn(folder: StateFolder, flags: Flags): Promise<void> {
  // With --json standard output has one object and nothing else.
  const say = (sentence: string): void =>
    flags.json ? console.error(sentence) : console.log(sentence);
  const startedMs = performance.now();
  const ports = choosePorts(portNames(DEMO_PLAN), folder.readPorts(), flags.fixed);
  folder.writePorts(ports);
  using stopped = untilStopped();
  let up = false;
  await using mesh = new Mesh(DEMO_PLAN, {
    folder: folder.path,
    ports,
    program: await proxyProgram(),
    resources: await Deno.readTextFile(DEMO_RESOURCES),
    say,
    prepare: async (control) => {
      if (!flags.filters) return;
      return await pushExamples(control, { keyDir: folder.file("publishers"), say });
    },
    changed: () => {
      if (up) folder.writeLocal(mesh.local());
    },
  });
  const started = mesh.start();
  // Ctrl-C while it starts must stop it as well.
  const early = await Promise.race([started.then(() => null, explainStart), stopped.signal]);
  if (early instanceof LocalError) throw early;
  if (early !== null) {
    started.catch(() => {});
    return;
  }
  up = true;
  const local = mesh.local();
  folder.writeLocal(local);
  if (flags.json) console.log(JSON.stringify(local, null, 2));
  else {console.log(tell(
      local,
      DEMO_PLAN.workloads.map(({ key }) => key),
      folder.path,
      performance.now() - startedMs,
    ));}
  await stopped.signal;
  up = false;
  say("Stopping");
}

function explainStart(problem: unknown): LocalError {
  const detail = problem instanceof Error ? problem.message : String(problem);
  return new LocalError(
    `The mesh did not start.\n${detail}\n` +
      `If its state is damaged, start with --fresh to begin with an empty mesh`,
  );
}

/** Resolves at the first signal that asks to stop, or when what started this (npx, `deno task`) was killed. */
function untilStopped(): { signal: Promise<Deno.Signal | "orphaned"> } & Disposable {
  const told = Promise.withResolvers<Deno.Signal | "orphaned">();
  const signals: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  const listeners = signals.map((signal) => {
    const listener = (): void => told.resolve(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  const chain = launchers();
  const watch = chain.length === 0 ? undefined : setInterval(() => {
    if (anyEnded(chain)) told.resolve("orphaned");
  }, 500);
  return {
    signal: told.promise,
    [Symbol.dispose](): void {
      clearInterval(watch);
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

function portFlag(flag: string, name: string, text: string | null): Record<string, number> {
  if (text === null) return {};
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UsageError(`${flag} is "${text}"; wanted a port from 1 to 65535`);
  }
  return { [name]: port };
}
