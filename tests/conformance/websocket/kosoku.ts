/** The fuzzing client `kosoku` (PyPI), which drives Autobahn's cases against a server: its verdicts by case. */
import { found } from "../../support/programs.ts";

/** Verdicts on the messages and on the closing handshake, and the close code the server sent. */
export interface Verdict {
  readonly behavior: string;
  readonly behaviorClose: string;
  readonly remoteCloseCode: number | null;
}

export interface Selection {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

const LIMIT_MS = 900_000;
const PARALLEL = 8;

export function hasKosoku(): Promise<boolean> {
  return found("kosoku", "--help");
}

/** Runs the selected cases against `host:port`. */
export async function judge(
  address: string,
  { include = [], exclude = [] }: Selection,
): Promise<Map<string, Verdict>> {
  const folder = await Deno.makeTempDir({ prefix: "denim-kosoku-" });
  try {
    const { stdout, stderr } = await new Deno.Command("kosoku", {
      args: [
        ...include.flatMap((one) => ["-i", one]),
        ...exclude.flatMap((one) => ["-x", one]),
        ...["-p", String(PARALLEL), "-o", folder, address],
      ],
      signal: AbortSignal.timeout(LIMIT_MS),
      stdout: "piped",
      stderr: "piped",
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    let index: Record<string, Record<string, Verdict>>;
    try {
      index = JSON.parse(await Deno.readTextFile(`${folder}/index.json`));
    } catch {
      throw new Error(`kosoku wrote no report: ${said}`);
    }
    const verdicts = new Map<string, Verdict>();
    for (const agent of Object.values(index)) {
      for (const [id, { behavior, behaviorClose, remoteCloseCode }] of Object.entries(agent)) {
        verdicts.set(id, { behavior, behaviorClose, remoteCloseCode });
      }
    }
    return verdicts;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
