import { deepStrictEqual as same } from "node:assert/strict";
import { parseDocuments } from "../schema/parse.ts";
import { checkLimits, effectiveLimits } from "./filter_limits.ts";
import { Mesh } from "./mesh.ts";
import type { FilterBinding } from "../schema/filter_binding.ts";

const MODULE = {
  name: "acme/tag",
  version: "1.0.0",
  digest: `sha256:${"a".repeat(64)}`,
  bytes: 3 * 1024 * 1024,
  abi: "proxy-wasm" as const,
};

function mesh(maxLimits: Record<string, number>): Mesh {
  const { resources, errors } = parseDocuments([{
    apiVersion: "denim.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { filters: { maxLimits } },
  }]);
  same(errors, []);
  return new Mesh(resources);
}

Deno.test("Limits are the binding's, then the module's, then the defaults, and never over the mesh's maximum", () => {
  same(effectiveLimits(mesh({}), {}, MODULE), {
    fuelPerCall: 10_000_000,
    memoryBytes: 16 * 1024 * 1024,
    limits: {},
  });
  same(effectiveLimits(mesh({}), {}, { ...MODULE, fuelPerCall: 7000 }).fuelPerCall, 7000);
  const most = mesh({ fuelPerCall: 6000, memoryMiB: 4, fuelPerSecond: 50_000, logsPerCall: 100 });
  same(effectiveLimits(most, { memoryMiB: 8, logsPerRequest: 3 }, MODULE), {
    fuelPerCall: 6000,
    memoryBytes: 4 * 1024 * 1024,
    limits: { fuelPerSecond: 50_000, logsPerCall: 64, logsPerRequest: 3 },
  });
});

Deno.test("A module larger than moduleMiB is refused when it is bound", () => {
  const said: string[] = [];
  const binding = { spec: { module: {}, limits: { moduleMiB: 2 } } } as unknown as FilterBinding;
  checkLimits(mesh({}), binding, MODULE, (path, message) => void said.push(`${path} ${message}`));
  same(said, [
    'spec.limits.moduleMiB is 2, and module "acme/tag" has 3145728 bytes; wanted at least 3',
  ]);
});
