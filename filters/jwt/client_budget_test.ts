import assert from "node:assert/strict";
import { ClientBudget, clientOf } from "./client_budget.ts";
import { JWT_LIMITS as LIMITS } from "./limits.ts";

Deno.test("ClientBudget stops a client whose wrong signatures cost too much, and no other one", () => {
  const budget = new ClientBudget();
  for (let spent = 0; spent < LIMITS.wrongBurstMs; spent += 2) {
    assert.ok(budget.allows("a", 0));
    budget.wrong("a", 2, 0);
  }
  assert.equal(budget.allows("a", 0), false);
  assert.equal(budget.allows("b", 0), true);
});

Deno.test("ClientBudget lets a client go on after a while, and never saves up more than a burst", () => {
  const budget = new ClientBudget();
  budget.wrong("a", LIMITS.wrongBurstMs + 10, 0);
  assert.equal(budget.allows("a", 10 / LIMITS.wrongShare), false);
  assert.equal(budget.allows("a", 10 / LIMITS.wrongShare + 1), true);
  budget.wrong("a", LIMITS.wrongBurstMs + 10, 1e9);
  assert.equal(budget.allows("a", 1e9), false);
});

Deno.test("ClientBudget remembers a limited number of clients, the late ones", () => {
  const budget = new ClientBudget();
  for (let i = 0; i < LIMITS.clients * 4; i++) budget.wrong(`c${i}`, LIMITS.wrongBurstMs + 1, 0);
  assert.equal(budget.allows("c0", 0), true);
  assert.equal(budget.allows(`c${LIMITS.clients * 4 - 1}`, 0), false);
});

Deno.test("A client is who it has proved to be, or where it comes from", () => {
  assert.equal(clientOf("spiffe://a/b", "10.0.0.1:5"), "spiffe://a/b");
  assert.equal(clientOf("", "10.0.0.1:5"), "10.0.0.1");
  assert.equal(clientOf("", "[::1]:5"), "[::1]");
});
