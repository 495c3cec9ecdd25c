import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { TestKey } from "../../filters/jwt/fakes.ts";
import type { KeySet } from "../../filters/jwt/keys.ts";
import type { Resource } from "../schema/kinds.ts";
import { parseDocuments } from "../schema/parse.ts";
import { MemoryStore } from "../store/memory.ts";
import { KeySets } from "./key_sets.ts";
import { JWKS_LIMITS as LIMITS } from "./limits.ts";

const A = "https://a.example/keys", B = "https://b.example/keys";
const first: KeySet = { keys: [new TestKey("ES256", "first").jwk], refused: [], secrets: 0 };
const second: KeySet = { keys: [new TestKey("ES256", "second").jwk], refused: [], secrets: 0 };

class Ledger {
  #resources: readonly Resource[] = [];
  #listener = () => {};
  constructor(...uris: string[]) {
    this.#resources = resourcesOf(uris);
  }
  resources = () => this.#resources;
  onChange = (listener: () => void) => {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  };
  set(...uris: string[]): void {
    this.#resources = resourcesOf(uris);
    this.#listener();
  }
}

function resourcesOf(uris: readonly string[]): readonly Resource[] {
  return parseDocuments(uris.map((jwksUri, at) => ({
    apiVersion: "denim.dev/v1",
    kind: "RequestAuthentication",
    metadata: { name: `a${at}` },
    spec: { jwtRules: [{ issuer: "a", audiences: ["a"], jwksUri }] },
  }))).resources;
}

async function setUp(ledger: Ledger, store = new MemoryStore()) {
  const time = { ms: 1_000_000 };
  const clock = { nowMs: () => time.ms, monotonicMs: () => time.ms };
  const metrics = new Metrics();
  const asked: string[] = [];
  /** What comes next, by URI; an Error is thrown, nothing there waits for ever. */
  const answers = new Map<string, KeySet | Error>();
  const sets = await KeySets.open({
    store,
    ledger,
    clock,
    random: () => 0,
    metrics,
    log: silentLog,
    fetch: (uri) => {
      asked.push(uri);
      const answer = answers.get(uri);
      if (answer === undefined) return new Promise(() => {});
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  });
  let changes = 0;
  sets.onChange(() => changes++);
  return {
    sets,
    asked,
    answers,
    metrics,
    store,
    changes: () => changes,
    /** Lets time pass and everything that is due happen. */
    async pass(ms: number) {
      time.ms += ms;
      sets.sweep();
      await settled();
    },
  };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

const kids = (sets: KeySets, uri: string) => sets.fetched().get(uri)?.map((key) => key.kid);

Deno.test("KeySets fetches what resources name, once for all who name it, and tells", async () => {
  const ledger = new Ledger();
  const { sets, asked, answers, changes } = await setUp(ledger);
  answers.set(A, first);
  ledger.set(A, A);
  assert.equal(sets.isSettling, true);
  await settled();
  assert.deepEqual([asked, kids(sets, A), changes()], [[A], ["first"], 1]);
  assert.equal(sets.isSettling, false);
  await sets.close();
});

Deno.test("KeySets keeps the last good set while an issuer is down, and says so", async () => {
  const ledger = new Ledger();
  const { sets, answers, metrics, pass, changes } = await setUp(ledger);
  answers.set(A, first);
  ledger.set(A);
  await settled();
  answers.set(A, new Error("answered 500"));
  await pass(LIMITS.refreshMs);
  assert.deepEqual(kids(sets, A), ["first"]);
  assert.equal(sets.list()[0]!.problem, "answered 500");
  assert.match(metrics.render(), /denim_jwks_up\{uri="https:\/\/a\.example\/keys"\} 0/);
  assert.match(metrics.render(), /denim_jwks_failures_total\{uri="[^"]*"\} 1/);
  const before = changes();
  answers.set(A, second);
  await pass(LIMITS.retryMs);
  assert.deepEqual(kids(sets, A), ["second"]);
  assert.equal(changes(), before + 1);
  assert.match(metrics.render(), /denim_jwks_up\{[^}]*\} 1/);
  await sets.close();
});

Deno.test("KeySets tells nobody of a set that is the same as before", async () => {
  const ledger = new Ledger();
  const { sets, asked, answers, changes, pass } = await setUp(ledger);
  answers.set(A, first);
  ledger.set(A);
  await settled();
  const same = sets.fetched();
  for (let i = 0; i < 3; i++) await pass(LIMITS.refreshMs);
  assert.deepEqual([asked.length, changes(), sets.fetched() === same], [4, 1, true]);
  await sets.close();
});

Deno.test("KeySets waits longer after each failure, but never for ever", async () => {
  const ledger = new Ledger();
  const { sets, asked, answers, pass } = await setUp(ledger);
  answers.set(A, new Error("answered 500"));
  ledger.set(A);
  await settled();
  assert.equal(sets.isSettling, false, "whoever waits for the first answer has it");
  let wait: number = LIMITS.retryMs;
  for (let n = 2; n < 12; n++) {
    await pass(wait - 1);
    assert.equal(asked.length, n - 1);
    await pass(1);
    assert.equal(asked.length, n);
    wait = Math.min(wait * 2, LIMITS.retryMaxMs);
  }
  await sets.close();
});

Deno.test("KeySets fetches early when a key is unknown, and no oftener than its limit", async () => {
  const ledger = new Ledger();
  const { sets, asked, answers, pass } = await setUp(ledger);
  answers.set(A, first);
  ledger.set(A);
  await settled();
  answers.set(A, second);
  for (let i = 0; i < 100; i++) sets.unknownKey(A);
  await settled();
  assert.equal(asked.length, 1, "it was fetched just now");
  await pass(LIMITS.unknownKeyMs);
  assert.deepEqual([asked.length, kids(sets, A)], [2, ["second"]]);
  for (let i = 0; i < 100; i++) sets.unknownKey(A);
  await pass(LIMITS.unknownKeyMs - 1);
  assert.equal(asked.length, 2);
  sets.unknownKey("https://nobody.asked/for");
  await pass(1);
  assert.deepEqual(asked, [A, A, A]);
  await sets.close();
});

Deno.test("KeySets has its keys after a restart, also while the issuer is down", async () => {
  const ledger = new Ledger();
  const { sets, answers, store } = await setUp(ledger);
  answers.set(A, first);
  answers.set(B, first);
  ledger.set(A, B);
  await settled();
  ledger.set(A);
  await sets.close();
  const after = await setUp(new Ledger(A, B), store);
  assert.deepEqual([kids(after.sets, A), kids(after.sets, B)], [["first"], undefined]);
  assert.deepEqual(after.asked, [A, B]);
  await after.sets.close();
});

Deno.test("KeySets forgets what nobody names any more, and what is still under way of it", async () => {
  const ledger = new Ledger();
  const { sets, answers, changes } = await setUp(ledger);
  answers.set(A, first);
  ledger.set(A);
  ledger.set(B); // before A has answered
  await settled();
  assert.deepEqual([[...sets.fetched().keys()], changes()], [[], 0]);
  assert.deepEqual(sets.list().map((one) => one.uri), [B]);
  await sets.close();
});

Deno.test("KeySets fetches a limited number of sets, and few of them at once", async () => {
  const uris = Array.from({ length: LIMITS.sets + 1 }, (_, at) => `https://a.example/${at}`);
  const { sets, asked } = await setUp(new Ledger(...uris));
  assert.equal(sets.list().length, LIMITS.sets);
  assert.equal(asked.length, LIMITS.parallel);
  sets.sweep();
  assert.equal(asked.length, LIMITS.parallel);
  await sets.close();
});
