import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Admission,
  Circuit,
  type CircuitState,
  CLOSED,
  HALF_OPEN,
  OPEN,
  PASS,
  PROBE,
  REFUSE,
} from "./circuit.ts";

const LIMITS = { consecutiveFailures: 3, openMs: 1000 };

function opened(atMs = 0): Circuit {
  const circuit = new Circuit();
  for (let i = 0; i < 3; i++) circuit.settle(false, false, atMs, LIMITS);
  return circuit;
}

Deno.test("Circuit opens after consecutive failures and not after scattered ones", () => {
  const circuit = new Circuit();
  for (const ok of [false, false, true, false, false]) circuit.settle(ok, false, 0, LIMITS);
  assert.equal(circuit.state, CLOSED);
  assert.equal(circuit.settle(false, false, 0, LIMITS), true);
  assert.equal(circuit.state, OPEN);
});

Deno.test("Circuit lets one probe through when its time is over, and closes on its success", () => {
  const circuit = opened(500);
  assert.equal(circuit.admit(1499, LIMITS), REFUSE);
  assert.equal(circuit.admit(1500, LIMITS), PROBE);
  assert.equal(circuit.admit(1500, LIMITS), REFUSE);
  circuit.settle(true, true, 1510, LIMITS);
  assert.equal(circuit.admit(1511, LIMITS), PASS);
});

Deno.test("Circuit opens anew when the probe fails", () => {
  const circuit = opened(0);
  circuit.admit(1000, LIMITS);
  circuit.settle(false, true, 1010, LIMITS);
  assert.equal(circuit.state, OPEN);
  assert.equal(circuit.admit(2009, LIMITS), REFUSE);
  assert.equal(circuit.admit(2010, LIMITS), PROBE);
});

Deno.test("Circuit gives the place of a lost probe to the next request", () => {
  const circuit = opened(0);
  circuit.admit(1000, LIMITS);
  circuit.release();
  assert.equal(circuit.admit(1001, LIMITS), PROBE);
});

Deno.test("Circuit does not listen to attempts that began before it opened", () => {
  const circuit = opened(0);
  circuit.settle(true, false, 10, LIMITS);
  assert.equal(circuit.state, OPEN);
  circuit.admit(1000, LIMITS);
  circuit.settle(true, false, 1001, LIMITS);
  assert.equal(circuit.state, HALF_OPEN);
});

/** The breaker in ten lines, as a user would describe it; the real one must agree at every step. */
class Model {
  state: CircuitState = CLOSED;
  failures: boolean[] = [];
  openedAtMs = 0;
  probe = false;

  admit(nowMs: number): Admission {
    if (this.state === CLOSED) return PASS;
    if (this.state === OPEN && nowMs < this.openedAtMs + LIMITS.openMs) return REFUSE;
    this.state = HALF_OPEN;
    if (this.probe) return REFUSE;
    this.probe = true;
    return PROBE;
  }

  settle(ok: boolean, probe: boolean, nowMs: number): void {
    if (probe) this.probe = false;
    else if (this.state !== CLOSED) return;
    this.failures.push(!ok);
    const row = this.failures.slice(-LIMITS.consecutiveFailures);
    const opens = probe ? !ok : row.length === LIMITS.consecutiveFailures && row.every(Boolean);
    if (opens) {
      this.openedAtMs = nowMs;
      this.state = OPEN;
    } else if (probe) this.state = CLOSED;
    if (opens || probe) this.failures = [];
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant("request" as const), afterMs: fc.integer({ min: 0, max: 600 }) }),
  fc.record({ do: fc.constant("settle" as const), which: fc.nat(), ok: fc.boolean() }),
  fc.record({ do: fc.constant("leave" as const), which: fc.nat() }),
);

Deno.test("Circuit agrees with its model under any order of requests, outcomes and leavings", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const circuit = new Circuit(), model = new Model();
      const under: { probe: boolean }[] = [];
      let nowMs = 5_000;
      for (const action of steps) {
        if (action.do === "request") {
          nowMs += action.afterMs;
          const admission = circuit.admit(nowMs, LIMITS);
          assert.equal(admission, model.admit(nowMs));
          if (admission !== REFUSE) under.push({ probe: admission === PROBE });
        } else if (under.length > 0) {
          const [exchange] = under.splice(action.which % under.length, 1);
          const { probe } = exchange!;
          if (action.do === "settle") {
            circuit.settle(action.ok, probe, nowMs, LIMITS);
            model.settle(action.ok, probe, nowMs);
          } else if (probe) {
            circuit.release();
            model.probe = false;
          }
        }
        assert.equal(circuit.state, model.state);
        assert.ok(under.filter((exchange) => exchange.probe).length <= 1, "two probes");
      }
    }),
    { numRuns: 500 },
  );
});
