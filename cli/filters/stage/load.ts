/** From a folder to what goes on stage: built, admitted, metered. */
import { dirname } from "node:path";
import type { GivenPermissions } from "../../../wasm/permissions.ts";
import { makeArtefact } from "../../../control/market/artefact.ts";
import { buildFilter, type BuiltFilter } from "../../../control/market/mod.ts";
import type { Inspection } from "../../../wasm/inspect.ts";
import type { Staged } from "./stage.ts";

export interface LoadedFilter {
  readonly built: BuiltFilter;
  readonly inspection: Inspection;
  readonly staged: Staged;
  /** Its folder, which has its cases. */
  readonly dir: string;
}

/** Throws what {@link buildFilter} and admission have against it. */
export async function loadFilter(path: string, cacheDir: string): Promise<LoadedFilter> {
  const built = await buildFilter(path, { cacheDir });
  const { artefact, abi, inspection } = await makeArtefact(built.bytes, built.manifest);
  const { name, limits, permissions } = built.manifest;
  return {
    built,
    inspection,
    dir: (await Deno.stat(path)).isDirectory ? path : dirname(path),
    staged: {
      abi,
      artefact,
      name,
      capabilities: inspection.capabilities,
      ...(permissions === undefined ? {} : { permissions: permissions as GivenPermissions }),
      fuelPerCall: limits.fuelPerCall,
      memoryBytes: limits.memoryMiB * 1024 * 1024,
    },
  };
}
