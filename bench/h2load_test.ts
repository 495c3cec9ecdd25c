/** h2load's report is read with its units, and failures are counted. */
import assert from "node:assert/strict";
import { parseH2load } from "./h2load.ts";

const REPORT = `finished in 3.08s, 6492.40 req/s, 3.20MB/s
requests: 20000 total, 20000 started, 20000 done, 19990 succeeded, 10 failed, 0 errored, 0 timeout
status codes: 19990 2xx, 0 3xx, 0 4xx, 10 5xx
traffic: 9.87MB (10350000) total, 1.20MB (1260000) headers (space savings 80.00%), 4.98MB (5220000) data
                     min         max         mean         sd        +/- sd
time for request:      211us     25.31ms      1.19ms       741us    92.00%
time for connect:      100us       200us       150us        50us    50.00%
`;

Deno.test("parseH2load reads rate, bytes, times and failures", () => {
  assert.deepEqual(parseH2load(REPORT), {
    requests: 20000,
    requestsPerSecond: 6492.4,
    dataBytes: 5220000,
    meanMs: 1.19,
    maxMs: 25.31,
    failures: 10,
  });
});

Deno.test("parseH2load throws when a figure is missing", () => {
  assert.throws(() => parseH2load("no connection"), /printed no number of requests/);
});
