/** Project Wycheproof's vectors, which can be had as a Go module: https://github.com/C2SP/wycheproof */

const MODULE = "github.com/c2sp/wycheproof";
const VERSION = "v0.0.0-20260902155932-3fa63dd0344a";
/** What Go says of the module's content; another content is not taken. */
const SUM = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c=";

export interface Vectors {
  readonly testGroups: readonly {
    /** SubjectPublicKeyInfo, hexadecimal. */
    readonly publicKeyDer: string;
    readonly tests: readonly Vector[];
  }[];
}

export interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly msg: string;
  readonly sig: string;
  readonly result: "valid" | "invalid" | "acceptable";
}

/** The folder of the vectors, fetched by Go where it is not in Go's cache yet; rejects with what Go said. */
export async function download(): Promise<string> {
  const { stdout, stderr } = await go(["mod", "download", "-json", `${MODULE}@${VERSION}`]);
  const { Dir, Sum, Error: problem } = JSON.parse(stdout === "" ? "{}" : stdout);
  if (typeof Dir !== "string") throw new Error(`Cannot get ${MODULE}: ${problem ?? stderr.trim()}`);
  if (Sum !== SUM) {
    throw new Error(`Cannot use ${MODULE} ${VERSION}: its sum is ${Sum}, not ${SUM}`);
  }
  return `${Dir}/testvectors_v1`;
}

/** The same from Go's cache alone; null, after saying so, where it is not there. */
export async function vectorsFolder(): Promise<string | null> {
  try {
    const { stdout } = await go(["env", "GOMODCACHE"]);
    const folder = `${stdout.trim()}/${MODULE}@${VERSION}/testvectors_v1`;
    await Deno.stat(folder);
    return folder;
  } catch {
    console.log("skipped: no vectors of Wycheproof; `deno task conformance signatures` gets them");
    return null;
  }
}

async function go(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await new Deno.Command("go", { args: [...args] }).output();
  const text = new TextDecoder();
  return { stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
