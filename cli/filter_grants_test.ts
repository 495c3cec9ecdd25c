import assert from "node:assert/strict";
import type { FilterBinding } from "../control/schema/filter_binding.ts";
import { grantsText } from "./filter_grants.ts";

function binding(spec: Partial<FilterBinding["spec"]>): FilterBinding {
  return { spec: { module: { name: "acme/a" }, ...spec } } as FilterBinding;
}

Deno.test("What a binding grants is told against what the filter asked for", () => {
  const asked = { capabilities: ["headers-read", "tick"] };
  const all = binding({ capabilities: ["headers-read", "tick"] });
  assert.equal(grantsText(asked, all), "all 2");
  assert.equal(
    grantsText(asked, binding({ capabilities: ["headers-read"] })),
    "1 of 2, not tick",
  );
  assert.equal(
    grantsText(asked, binding({ permissions: { metrics: ["a"] } })),
    "0 of 2, not headers-read, tick, by name",
  );
  assert.equal(grantsText(null, all), "2");
  assert.equal(grantsText(asked, undefined), "?");
});
