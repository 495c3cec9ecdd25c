/** `denim run`: a whole mesh on this machine, until Ctrl-C. */
import { parseArgs } from "node:util";
import { LocalError } from "../local/explain.ts";
import { pushExamples } from "../local/examples.ts";
import { Mesh } from "../local/mesh.ts";
import { DEMO_PLAN, DEMO_RESOURCES, portNames } from "../local/plan.ts";
import { choosePorts } from "../local/ports.ts";
import { StateFolder } from "../local/state.ts";
import { tell } from "../local/tell.ts";

const USAGE = `denim run: a mesh on this machine, until Ctrl-C

  --json              print the content of local.json instead of a table
  --fresh             begin with an empty mesh instead of the state of the last start
  --port N            port of the gateway (default: a free one, the same at the next start)
  --control-port N    port of the control plane's API and pages
  --dir DIR           folder for state and logs (default: .denim)
  --no-filters        do not build and admit the example filters`;

export async function run(args: readonly string[]): Promise<number> {
  const flags = readFlags(args);
  if (typeof flags === "number") return flags;
  // With --json standard output has one object and nothing else.
  const say = (sentence: string): void =>
    flags.json ? console.error(sentence) : console.log(sentence);
  try {
    using folder = StateFolder.open(flags.dir, { fresh: flags.fresh });
    return await runIn(folder, flags, say);
  } catch (problem) {
    if (problem instanceof LocalError) {
      console.error(problem.message);
      return 1;
    }
    throw problem;
  }
}

interface Flags {
  readonly json: boolean;
  readonly fresh: boolean;
  readonly filters: boolean;
  readonly dir: string;
  readonly fixed: Readonly<Record<string, number>>;
}

async function runIn(
  folder: StateFolder,
  flags: Flags,
  say: (sentence: string) => void,
): Promise<number> {
  const startedMs = performance.now();
  const ports = choosePorts(portNames(DEMO_PLAN), folder.readPorts(), flags.fixed);
  folder.writePorts(ports);
  using stopped = untilStopped();
  let up = false;
  await using mesh = new Mesh(DEMO_PLAN, {
    folder: folder.path,
    ports,
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
    return 0;
  }
  up = true;
  const local = mesh.local();
  folder.writeLocal(local);
  if (flags.json) console.log(JSON.stringify(local, null, 2));
  else console.log(tell(local, folder.path, performance.now() - startedMs));
  await stopped.signal;
  up = false;
  say("Stopping");
  return 0;
}

function explainStart(problem: unknown): LocalError {
  const detail = problem instanceof Error ? problem.message : String(problem);
  return new LocalError(
    `The mesh did not start.\n${detail}\n` +
      `If its state is damaged, start with --fresh to begin with an empty mesh`,
  );
}

/** Resolves at the first signal that asks to stop, or when the task runner that started this is gone. */
function untilStopped(): { signal: Promise<Deno.Signal | "orphaned"> } & Disposable {
  const told = Promise.withResolvers<Deno.Signal | "orphaned">();
  const signals: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  const listeners = signals.map((signal) => {
    const listener = (): void => told.resolve(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  // `deno task` and npx put themselves in between and set INIT_CWD; killed, they leave us running unseen.
  const parent = Deno.ppid;
  const watch = Deno.env.get("INIT_CWD") === undefined ? undefined : setInterval(() => {
    if (Deno.ppid !== parent) told.resolve("orphaned");
  }, 500);
  return {
    signal: told.promise,
    [Symbol.dispose](): void {
      clearInterval(watch);
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

function readFlags(args: readonly string[]): Flags | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: "boolean", default: false },
        fresh: { type: "boolean", default: false },
        port: { type: "string" },
        "control-port": { type: "string" },
        dir: { type: "string", default: ".denim" },
        "no-filters": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    return {
      json: values.json,
      fresh: values.fresh,
      filters: !values["no-filters"],
      dir: values.dir.startsWith("/") ? values.dir : `${Deno.cwd()}/${values.dir}`,
      fixed: {
        ...portFlag("--port", "gateway", values.port),
        ...portFlag("--control-port", "control", values["control-port"]),
      },
    };
  } catch (problem) {
    console.error(`${problem instanceof Error ? problem.message : problem}\n\n${USAGE}`);
    return 2;
  }
}

function portFlag(flag: string, name: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new LocalError(`${flag} is "${text}": give a port from 1 to 65535`);
  }
  return { [name]: port };
}
