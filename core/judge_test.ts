import assert from "node:assert/strict";
import { type FaultCode, FAULTS } from "./fault.ts";
import { BAD, GOOD, judge, NEUTRAL } from "./judge.ts";

function judged(result: number | FaultCode): number {
  const status = typeof result === "number" ? result : 0;
  const fault = typeof result === "number" ? null : FAULTS[result];
  return judge({ endpoint: "a", attempt: 1, status, fault, grpcStatus: -1 });
}

Deno.test("judge blames an endpoint for 5xx, faults of its own and time-outs", () => {
  for (const result of [500, 503, 599, "upstream.connect", "upstream.reset"] as const) {
    assert.equal(judged(result), BAD, String(result));
  }
  for (const result of ["h1.bad_status_line", "timeout.backend", "timeout.request"] as const) {
    assert.equal(judged(result), BAD, result);
  }
});

Deno.test("judge calls every other answer good", () => {
  for (const status of [200, 204, 301, 404, 429]) assert.equal(judged(status), GOOD);
});

Deno.test("judge does not blame an endpoint for what others did", () => {
  for (
    const code of [
      "downstream.gone",
      "proxy.stopped",
      "upstream.stale",
      "h2.goaway",
      "upstream.overflow",
      "breaker.open",
      "wasm.trapped",
    ] as const
  ) assert.equal(judged(code), NEUTRAL, code);
});

Deno.test("judge blames an endpoint for a gRPC status that stands for a 5xx, and for no other", () => {
  const of = (grpcStatus: number) =>
    judge({ endpoint: "a", attempt: 1, status: 200, fault: null, grpcStatus });
  for (const status of [2, 4, 12, 13, 14, 15]) assert.equal(of(status), BAD, String(status));
  for (const status of [0, 1, 3, 5, 7, 8, 16]) assert.equal(of(status), GOOD, String(status));
});
