/** Flags the filter verbs share, and where the control plane and its token are found. */
import { dirname, join } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { ControlAccess } from "./push.ts";

/** Something the user can put right; printed without a stack. */
export class UsageError extends Error {
  override name = "UsageError";
}

type Values = Record<string, string | boolean | undefined>;

/** Parses, or explains in one sentence what was not understood. */
export function readFlags(
  args: readonly string[],
  options: NonNullable<ParseArgsConfig["options"]>,
): { values: Values; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export const ACCESS_OPTIONS = {
  control: { type: "string" },
  "token-file": { type: "string" },
} as const;

/** `--control`, else DENIM_CONTROL, else the local mesh of this folder. */
export async function findControl(values: Values): Promise<ControlAccess> {
  const local = await localControl();
  const given = values.control ?? Deno.env.get("DENIM_CONTROL") ?? local?.url;
  if (typeof given !== "string") {
    throw new UsageError(
      "No control plane is known: start one with `deno task run`, or name it with --control URL",
    );
  }
  const token = await findToken(values["token-file"], local?.tokenFile);
  return { url: given.replace(/\/+$/, ""), token };
}

async function localControl(): Promise<{ url: string; tokenFile: string } | null> {
  const path = ".denim/local.json";
  try {
    const { control } = JSON.parse(await Deno.readTextFile(path)) as { control?: unknown };
    if (typeof control !== "string") return null;
    return { url: control, tokenFile: join(dirname(path), "admin.token") };
  } catch {
    return null;
  }
}

async function findToken(flag: unknown, local: string | undefined): Promise<string> {
  const inEnvironment = Deno.env.get("DENIM_TOKEN");
  if (flag === undefined && inEnvironment !== undefined) return inEnvironment.trim();
  const path = typeof flag === "string" ? flag : local ?? ".denim/admin.token";
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch {
    throw new UsageError(
      `The access token cannot be read from "${path}"; name its file with --token-file`,
    );
  }
}

/** Errors whose message says all there is to say. */
const FOR_PEOPLE: readonly string[] = [
  "BuildError",
  "CaseError",
  "MarketError",
  "ModuleError",
  "PushError",
];

/** Runs a verb; mistakes of the user become one message and exit code 1 or 2. */
export async function runVerb(work: () => Promise<void>): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(error.message);
      return 2;
    }
    if (error instanceof Error && FOR_PEOPLE.includes(error.name)) {
      console.error(error.message);
      return 1;
    }
    throw error;
  }
}
