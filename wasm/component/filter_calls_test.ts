import assert from "node:assert/strict";
import { FAULTS } from "../../core/fault.ts";
import { COLLECT, CONTINUE, DONE, PAUSE } from "../../core/filter.ts";
import { WASM_LIMITS } from "../limits.ts";
import type { Upstream } from "../proxy_wasm/host.ts";
import { FakeCalls } from "../testing/fake_calls.ts";
import type { FakeExchange } from "../testing/harness.ts";
import { type Probe, startProbe } from "../testing/probe.ts";

const UPSTREAMS = new Map<string, Upstream>([
  ["auth:80", { backend: "default/auth:80", fields: ["x-denim-port", "default/auth:80"] }],
]);

async function start(settings: Parameters<typeof startProbe>[0] = {}) {
  const probe = await startProbe({
    file: "asking_filter.ts",
    upstreams: UPSTREAMS,
    limits: { fuelPerCall: 20_000_000, memoryBytes: 8 * 1024 * 1024 },
    ...settings,
  });
  const calls = new FakeCalls();
  probe.plugin.adopt(calls);
  return { ...probe, calls };
}

/** Lets promises run until something is so: suspended guests go on by promises and nothing else. */
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !what(); i++) await null;
  assert.ok(what(), "it never came to that");
}

/** An exchange whose head has been asked about and that waits. */
function asked(probe: Probe, what: string, end = true): FakeExchange {
  const exchange = probe.exchange(what);
  assert.equal(exchange.requestHead(end), end ? PAUSE : COLLECT);
  return exchange;
}

Deno.test("a filter asks a Service of its binding and goes on with the answer", async () => {
  const probe = await start();
  const exchange = asked(probe, "check");
  await until(() => probe.calls.made.length === 1);
  const { backend, head, body, timeoutMs } = probe.calls.made[0]!.request;
  assert.equal(backend, "default/auth:80");
  assert.deepEqual([head.method, head.authority, head.path], ["POST", "auth", "/check?a=1"]);
  assert.equal(head.fields.get("x-from"), "/a?b=c");
  assert.equal(head.fields.get("content-length"), "5");
  assert.equal(head.fields.get("x-denim-port"), "default/auth:80");
  assert.equal(new TextDecoder().decode(body), "grün");
  assert.equal(timeoutMs, 5000);
  assert.equal(exchange.resumes, 0);
  probe.calls.made[0]!.answer(200, ["x-user", "ann"], '{"name": "Ann"}');
  await until(() => exchange.resumes === 1);
  assert.equal(exchange.request.fields.get("x-user"), "ann");
  assert.equal(exchange.request.fields.get("x-json"), "Ann");
  exchange.end();
});

Deno.test("a filter answers itself by what it was told", async () => {
  const probe = await start();
  const exchange = asked(probe, "check");
  await until(() => probe.calls.made.length === 1);
  probe.calls.made[0]!.answer(401, [], "who?");
  await until(() => exchange.reply !== null);
  assert.deepEqual([exchange.reply?.status, exchange.reply?.body], [403, "401 who?"]);
  assert.equal(exchange.resumes, 0, "a reply needs no resuming");
});

Deno.test("calls one after the other, together, and without waiting", async () => {
  const probe = await start();
  const twice = asked(probe, "twice");
  await until(() => probe.calls.made.length === 1);
  probe.calls.made[0]!.answer(201);
  await until(() => probe.calls.made.length === 2);
  probe.calls.made[1]!.answer(202);
  await until(() => twice.resumes === 1);
  assert.equal(twice.request.fields.get("x-seen"), "201 202");

  const together = asked(probe, "together");
  await until(() => probe.calls.made.length === 5);
  assert.deepEqual(probe.calls.made.slice(2).map((one) => one.request.head.path), [
    "/one",
    "/two",
    "/three",
  ]);
  probe.calls.made[4]!.answer(200);
  probe.calls.made[2]!.fail(FAULTS["backend.no_endpoint"]);
  probe.calls.made[3]!.answer(200);
  await until(() => together.resumes === 1);
  assert.equal(together.request.fields.get("x-seen"), "rejected fulfilled fulfilled");

  const forget = asked(probe, "forget");
  await until(() => probe.calls.made.length === 6);
  probe.calls.made[5]!.answer(200);
  await until(() => forget.resumes === 1);
});

Deno.test("a call that fails rejects with what happened", async () => {
  const probe = await start();
  const late = asked(probe, "catch");
  await until(() => probe.calls.made.length === 1);
  assert.equal(probe.calls.made[0]!.request.timeoutMs, 20);
  probe.calls.made[0]!.fail(FAULTS["call.timeout"]);
  await until(() => late.resumes === 1);
  assert.equal(
    late.request.fields.get("x-error"),
    "TimeoutError: GET http://auth/ failed: no answer within 20 ms",
  );
  const stranger = asked(probe, "stranger");
  await until(() => stranger.fault !== null);
  assert.equal(stranger.fault?.code, "wasm.trapped");
  assert.match(probe.plugin.lastTrap, /"nobody" is none of the binding's upstreams/);
  assert.equal(probe.plugin.traps, 0, "the instance is sound");
  assert.ok(probe.logs.some((line) => line.msg === "wasm.unknown_upstream"));
});

Deno.test("a filter without the capability asks nobody", async () => {
  const probe = await start({ capabilities: new Set(["headers-write"]) });
  const exchange = asked(probe, "catch");
  await until(() => exchange.resumes === 1);
  assert.match(exchange.request.fields.get("x-error")!, /"http-call" is not granted/);
  assert.equal(probe.calls.made.length, 0);
});

Deno.test("a body is held until the filter has been answered about it", async () => {
  const probe = await start();
  const exchange = asked(probe, "nothing", false);
  assert.equal(exchange.requestData("ask:", false), null, "the head's verdict is not there yet");
  await until(() => exchange.resumes === 1);
  assert.equal(exchange.requestData("ask:", false), "", "swallowed until it is whole");
  assert.equal(exchange.requestData("x", true), null);
  await until(() => probe.calls.made.length === 1);
  assert.equal(new TextDecoder().decode(probe.calls.made[0]!.request.body), "ask:x");
  probe.calls.made[0]!.answer(200, [], "another body");
  await until(() => exchange.resumes === 2);
  assert.equal(exchange.requestData("x", true), "another body");
  assert.equal(exchange.request.fields.get("content-length"), "12");
  assert.equal(exchange.request.fields.get("x-body"), "200");
});

Deno.test("a response waits too", async () => {
  const probe = await start();
  const exchange = asked(probe, "nothing");
  await until(() => exchange.resumes === 1);
  assert.equal(exchange.responseHead(true, 200, ["x-ask", "1"]), PAUSE);
  await until(() => probe.calls.made.length === 1);
  probe.calls.made[0]!.answer(418);
  await until(() => exchange.resumes === 2);
  assert.equal(exchange.response?.status, 418);
  exchange.end();
});

Deno.test("one exchange that waits does not hold up others", async () => {
  const probe = await start();
  const waiting = asked(probe, "check");
  await until(() => probe.calls.made.length === 1);
  const others = Array.from({ length: 5 }, () => asked(probe, "kv"));
  await until(() => others.every((one) => one.resumes === 1));
  assert.equal(waiting.resumes, 0);
  assert.match(probe.metrics.render(), /denim_wasm_instances\{filter="default\/probe"\} [2-6]\n/);
});

Deno.test("instances and those who wait for one are limited", async () => {
  const probe = await start();
  const most = WASM_LIMITS.instances, queue = WASM_LIMITS.instanceWaiters;
  const running = Array.from({ length: most }, () => asked(probe, "check"));
  await until(() => probe.calls.made.length === most);
  const waiting = Array.from({ length: queue }, () => asked(probe, "kv"));
  const text = probe.metrics.render();
  assert.match(text, new RegExp(`denim_wasm_instances\\{.*\\} ${most}\n`));
  assert.match(text, new RegExp(`denim_wasm_waiting\\{.*\\} ${queue}\n`));
  const refused = probe.exchange("kv");
  assert.equal(refused.requestHead(), DONE);
  assert.equal(refused.fault?.code, "wasm.no_instance");
  waiting[0]!.end(); // gone before its turn
  probe.calls.made[0]!.answer(401);
  await until(() => waiting.slice(1).every((one) => one.resumes === 1));
  assert.equal(waiting[0]!.resumes, 0);
  assert.equal(running[0]!.reply?.status, 403);
  for (const one of [...running, ...waiting.slice(1)]) one.end();
  probe.clock.ms += WASM_LIMITS.spareInstanceMs + 1;
  for (let i = 0; i < most; i++) {
    const one = asked(probe, "nothing");
    await until(() => one.resumes === 1);
    one.end();
  }
  await until(() => /denim_wasm_instances\{.*\} [2-4]\n/.test(probe.metrics.render()));
});

Deno.test("an exchange that goes away takes its call with it", async () => {
  const probe = await start();
  const exchange = asked(probe, "check");
  await until(() => probe.calls.made.length === 1);
  exchange.end();
  assert.equal(probe.calls.made[0]!.cancelled, true);
  // The guest has heard of a failure and is free for the next.
  const next = asked(probe, "kv");
  await until(() => next.resumes === 1);
  assert.equal(exchange.resumes, 0);
  assert.equal(probe.plugin.traps, 0);
});

Deno.test("fuel is that of one call, however long it waits", async () => {
  const probe = await start();
  const exchange = asked(probe, "loop");
  await until(() => probe.calls.made.length === 1);
  const other = asked(probe, "kv");
  await until(() => other.resumes === 1);
  probe.clock.ms += 4000;
  const { us } = probe.plugin.cost;
  probe.calls.made[0]!.answer(200);
  await until(() => exchange.resumes === 1);
  const { fields } = exchange.request;
  const first = Number(fields.get("x-first")), left = Number(fields.get("x-left"));
  assert.ok(left < first && first < 19_900_000, `${first} ${left}`);
  assert.ok(probe.plugin.cost.us - us < 1_000_000, "waiting is no work");
});

Deno.test("a filter that loops after an answer is stopped, and another instance goes on", async () => {
  const probe = await start();
  const exchange = asked(probe, "spin");
  await until(() => probe.calls.made.length === 1);
  probe.calls.made[0]!.answer(200);
  await until(() => exchange.fault !== null);
  assert.equal(exchange.fault?.code, "wasm.out_of_fuel");
  assert.equal(probe.plugin.traps, 1);
  const next = asked(probe, "kv");
  await until(() => next.resumes === 1);
  assert.equal(next.request.fields.get("x-count"), "1");
});

Deno.test("a filter that fails open lets what waits go on", async () => {
  const probe = await start({ failOpen: true });
  const exchange = asked(probe, "spin", false);
  assert.equal(exchange.requestData("abc", true), null);
  await until(() => probe.calls.made.length === 1);
  probe.calls.made[0]!.answer(200);
  await until(() => exchange.resumes === 1);
  assert.equal(exchange.requestData("abc", true), "abc");
  assert.equal(exchange.responseHead(true), CONTINUE);
  exchange.end();
  assert.equal(exchange.fault, null);
});

Deno.test("a hook that waits for nothing fails in words", async () => {
  const probe = await start();
  const exchange = asked(probe, "never");
  await until(() => exchange.fault !== null);
  assert.match(probe.plugin.lastTrap, /waits for something that never comes/);
});

Deno.test("memory stays flat over many calls, answered and given up", async () => {
  const probe = await start();
  const round = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) {
      const exchange = asked(probe, "check");
      const at = probe.calls.made.length;
      await until(() => probe.calls.made.length > at || exchange.fault !== null);
      if (i % 3 > 0) {
        probe.calls.made[at]!.answer(200, [], "{}");
        await until(() => exchange.resumes === 1);
      }
      exchange.end();
      probe.clock.ms += 1000; // its fuel is by the second
    }
  };
  for (let i = 0; i < 6; i++) await round();
  const before = probe.plugin.memoryBytes;
  for (let i = 0; i < 6; i++) await round();
  assert.ok(probe.plugin.memoryBytes <= before, `${before} grew to ${probe.plugin.memoryBytes}`);
});
