/** From what was pushed to what proxies run: assembled, scanned, metered and capped. */
import { bundleComponent } from "../../wasm/build/component.ts";
import { inspect, type Inspection } from "../../wasm/inspect.ts";
import { instrument } from "../../wasm/instrument.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../../wasm/limits.ts";
import { ModuleError } from "../../wasm/reader.ts";
import { compileWat, isWat } from "../../wasm/wat.ts";

export interface Artefact {
  readonly artefact: Uint8Array<ArrayBuffer>;
  readonly abi: "proxy-wasm" | "component";
  readonly inspection: Inspection;
  /** It was pushed as text. */
  readonly wat: boolean;
}

/** Throws {@link ModuleError} with the reason when the module will not do. */
export async function makeArtefact(
  bytes: Uint8Array,
  manifest: { readonly limits: { readonly memoryMiB: number } },
): Promise<Artefact> {
  const memoryBytes = manifest.limits.memoryMiB * 1024 * 1024;
  const wat = isWat(bytes);
  const binary = wat ? await compileWat(new TextDecoder().decode(bytes)) : bytes;
  const inspection = inspect(binary);
  if (inspection.kind === "component") {
    const { bundle } = await bundleComponent(binary, { memoryBytes });
    return { artefact: bundle, abi: "component", inspection, wat };
  }
  if (inspection.abi === "unknown") {
    throw new ModuleError(
      "wasm.no_abi",
      "The module exports no proxy_abi_version_* marker, so it is no Proxy-Wasm filter",
    );
  }
  const artefact = instrument(binary, {
    maxPages: Math.floor(memoryBytes / PAGE_BYTES),
    maxTable: WASM_LIMITS.tableElements,
  });
  return { artefact, abi: "proxy-wasm", inspection, wat };
}
