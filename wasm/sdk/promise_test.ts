import assert from "node:assert/strict";
import { FilterPromise, runJobs } from "./promise.ts";

/** What a promise has come to when all jobs have run. */
function outcome<T>(promise: FilterPromise<T>): unknown {
  runJobs();
  if (promise.pending) return "pending";
  try {
    return promise.unwrap();
  } catch (error) {
    return error;
  }
}

Deno.test("promises settle once, in order, and only when their jobs run", () => {
  const order: string[] = [];
  const promise = new FilterPromise<number>((resolve, reject) => {
    resolve(1);
    reject(new Error("late"));
    resolve(2);
  });
  promise.then((value) => order.push(`a${value}`)).then(() => order.push("c"));
  promise.then(() => order.push("b"));
  assert.deepEqual(order, []);
  runJobs();
  assert.deepEqual(order, ["a1", "b", "c"]);
});

Deno.test("errors go down the chain to whoever catches them", () => {
  const thrown = new FilterPromise<number>(() => {
    throw new Error("at once");
  });
  assert.match(String(outcome(thrown)), /at once/);
  const caught = thrown.then(() => 1).catch((error) => `caught ${(error as Error).message}`);
  assert.equal(outcome(caught), "caught at once");
  let cleaned = 0;
  assert.match(String(outcome(thrown.finally(() => void cleaned++))), /at once/);
  assert.equal(outcome(FilterPromise.resolve(7).finally(() => void cleaned++)), 7);
  assert.equal(cleaned, 2);
  assert.equal(outcome(FilterPromise.reject("why").then(null, (reason) => `${reason}!`)), "why!");
});

Deno.test("a promise follows another, and anything that has a then", () => {
  const { promise, resolve } = FilterPromise.withResolvers<string>();
  const outer = FilterPromise.resolve(1).then(() => promise);
  assert.equal(outcome(outer), "pending");
  resolve("inner");
  assert.equal(outcome(outer), "inner");
  const thenable = { then: (done: (value: string) => void) => done("thenable") };
  assert.equal(outcome(FilterPromise.resolve(thenable as PromiseLike<string>)), "thenable");
  const broken = {
    get then(): never {
      throw new Error("no then");
    },
  };
  assert.match(String(outcome(FilterPromise.resolve(broken as unknown))), /no then/);
});

Deno.test("all, allSettled, any and race are those of the web", () => {
  const no = FilterPromise.reject(new Error("no"));
  assert.deepEqual(outcome(FilterPromise.all([1, FilterPromise.resolve(2)])), [1, 2]);
  assert.deepEqual(outcome(FilterPromise.all([])), []);
  assert.match(String(outcome(FilterPromise.all([1, no]))), /no/);
  assert.deepEqual(outcome(FilterPromise.allSettled([1, FilterPromise.reject("x")])), [
    { status: "fulfilled", value: 1 },
    { status: "rejected", reason: "x" },
  ]);
  assert.equal(outcome(FilterPromise.any([no, FilterPromise.resolve(3)])), 3);
  assert.match(String(outcome(FilterPromise.any([no]))), /All promises were rejected/);
  assert.equal(outcome(FilterPromise.race([new FilterPromise(() => {}), 4])), 4);
});
