/** AssemblyScript filter → Proxy-Wasm module, by the published compiler and SDK. */
import { compile } from "./compile.ts";

export async function buildAssemblyScript(
  entry: string,
  out: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await compile({ tool: "assemblyscript", entry, out });
  return await Deno.readFile(answer.files.module!);
}
