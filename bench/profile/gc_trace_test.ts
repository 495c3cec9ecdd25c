/** The collector's own account of its work. */
import assert from "node:assert/strict";
import { readGcTrace } from "./gc_trace.ts";

Deno.test("readGcTrace adds up pauses and steps of marking", () => {
  const figures = readGcTrace(
    `[854:0x5618cfc89000]    15430 ms: Scavenge 13.5 (18.4) -> 13.0 (18.4) MB, pooled: 0.8 MB, 0.60 / 0.00 ms (average mu = 0.968, current mu = 0.968) allocation failure; 
{"level":"info","msg":"ready"}
[854:0x5618cfc89000]    15444 ms: Scavenge 13.7 (18.4) -> 13.3 (18.4) MB, pooled: 0.8 MB, 1.40 / 0.00 ms (average mu = 0.968, current mu = 0.968) allocation failure; 
[854:0x5618cfc89000]    15642 ms: Incremental Mark-Compact 16.0 (18.6) -> 10.8 (18.6) MB, pooled: 0.5 MB, 3.00 / 0.00 ms (+ 12.0 ms in 62 steps since start of marking, biggest step 8.3 ms, walltime since start of marking 18 ms) (average mu = 0.967, current mu = 0.967) finalize incremental marking via task; GC in old space requested
`,
  );
  assert.deepEqual(figures, {
    scavenges: { count: 2, ms: 2 },
    markCompacts: { count: 1, ms: 3 },
    markingMs: 12,
  });
});
