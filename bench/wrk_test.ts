/** wrk's report is read with its units, and failures are counted. */
import assert from "node:assert/strict";
import { parseWrk } from "./wrk.ts";

const REPORT = `Running 4s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   412.11us  200.00us   9.16ms   90.00%
    Req/Sec    77.10k     2.10k   80.00k    70.00%
  Latency Distribution
     50%  397.00us
     75%  441.00us
     90%    0.96ms
     99%    1.21s
  308512 requests in 4.10s, 370.00MB read
Requests/sec:  75246.83
Transfer/sec:     90.24MB
`;

Deno.test("parseWrk reads every unit", () => {
  const report = parseWrk(REPORT);
  assert.equal(report.requests, 308512);
  assert.equal(report.seconds, 4.1);
  assert.equal(report.requestsPerSecond, 75246.83);
  assert.equal(report.p50Ms, 0.397);
  assert.equal(report.p99Ms, 1210);
  assert.equal(report.failures, 0);
});

Deno.test("parseWrk counts refused answers and broken connections", () => {
  const report = parseWrk(
    REPORT.replace(
      "Requests/sec",
      "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 10\nRequests/sec",
    ),
  );
  assert.equal(report.failures, 20);
});

Deno.test("parseWrk throws when a figure is missing", () => {
  assert.throws(() => parseWrk("unable to connect"), /printed no number of requests/);
});
