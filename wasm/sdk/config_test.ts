import assert from "node:assert/strict";
import { choice, flag, list, map, number, readConfig, text } from "./config.ts";

const SHAPE = {
  name: text(),
  count: number(3, { min: 1 }),
  on: flag(true),
  mode: choice(["fast", "safe"], "safe"),
  names: list(text(), []),
  weights: map(number(0, { max: 1 }), {}),
};

Deno.test("readConfig fills in what is absent and types what is there", () => {
  const config = readConfig(SHAPE, '{"name": "x", "names": ["a"], "weights": {"b": 0.5}}');
  const mode: "fast" | "safe" = config.mode; // the types follow the shape
  assert.deepEqual(
    { ...config, mode },
    { name: "x", count: 3, on: true, mode: "safe", names: ["a"], weights: { b: 0.5 } },
  );
});

Deno.test("readConfig names the field, what it has and what was wanted", () => {
  const cases = [
    ["", "config.name is missing; wanted text"],
    ['{"name": 1}', "config.name is 1; wanted text"],
    ['{"name": "x", "count": 0}', "config.count is 0; wanted a number of at least 1"],
    ['{"name": "x", "on": "yes"}', 'config.on is "yes"; wanted true or false'],
    ['{"name": "x", "mode": "slow"}', 'config.mode is "slow"; wanted one of "fast", "safe"'],
    ['{"name": "x", "names": "a"}', 'config.names is "a"; wanted a list of text'],
    [
      '{"name": "x", "weights": {"a": 2}}',
      'config.weights is {"a":2}; wanted names, each with a number of at most 1',
    ],
    [
      '{"nam": "x"}',
      "config.nam is not known; it may have name, count, on, mode, names, weights",
    ],
    ["[]", "The configuration is not an object"],
  ] as const;
  for (const [json, message] of cases) {
    assert.throws(() => readConfig(SHAPE, json), { message }, json);
  }
});

Deno.test("readConfig is not fooled by names every object has", () => {
  assert.throws(() => readConfig({ a: text("") }, '{"constructor": "x"}'), /not known/);
  const parsed = readConfig({ rates: map(number(), {}) }, '{"rates": {"__proto__": 1}}');
  assert.equal(Object.getPrototypeOf(parsed.rates), Object.prototype);
});
