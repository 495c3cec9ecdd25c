import assert from "node:assert/strict";
import { mergeMetrics } from "./merge_metrics.ts";

Deno.test("mergeMetrics keeps families together and tells workers apart", () => {
  const page = (n: number): string =>
    `# HELP a_total Some a\n# TYPE a_total counter\na_total ${n}\na_total{x="y z"} ${n}5\n` +
    `# HELP b_ms Time\n# TYPE b_ms histogram\nb_ms_bucket{le="+Inf"} ${n}\nb_ms_sum ${n}\n`;
  const merged = mergeMetrics([{ worker: 0, text: page(1) }, { worker: 1, text: page(2) }]);
  assert.deepEqual(merged.trimEnd().split("\n"), [
    "# HELP a_total Some a",
    "# TYPE a_total counter",
    'a_total{worker="0"} 1',
    'a_total{worker="0",x="y z"} 15',
    'a_total{worker="1"} 2',
    'a_total{worker="1",x="y z"} 25',
    "# HELP b_ms Time",
    "# TYPE b_ms histogram",
    'b_ms_bucket{worker="0",le="+Inf"} 1',
    'b_ms_sum{worker="0"} 1',
    'b_ms_bucket{worker="1",le="+Inf"} 2',
    'b_ms_sum{worker="1"} 2',
  ]);
});
