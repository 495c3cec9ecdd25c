import assert from "node:assert/strict";
import fc from "fast-check";
import { BAD, GOOD, NEUTRAL } from "../../core/judge.ts";
import { LONGEST_EJECTION, OutlierDetector } from "./outlier.ts";
import { StatsTable } from "./stats.ts";
import { candidates } from "./balancer/fakes.ts";

const CONFIG = { consecutive5xx: 3, baseEjectionMs: 1000, maxEjectionPercent: 50 };

class Scene {
  nowMs = 50_000;
  readonly endpoints;
  readonly detector;
  constructor(count: number, config: Partial<typeof CONFIG> = {}) {
    this.endpoints = candidates(count);
    const now = (): number => this.nowMs;
    this.detector = new OutlierDetector({ ...CONFIG, ...config }, { nowMs: now, monotonicMs: now });
  }
  /** Fails endpoint `at` as often as ejection needs; how long it is ejected for, 0 if it is not. */
  fail(at: number, times = 3): number {
    const { stats } = this.endpoints[at]!;
    for (let i = 0; i < times; i++) this.detector.record(stats, BAD, this.endpoints);
    return Math.max(0, stats.ejectedUntilMs - this.nowMs);
  }
}

Deno.test("OutlierDetector ejects after failures in a row and not after scattered ones", () => {
  const scene = new Scene(4);
  const { stats } = scene.endpoints[0]!;
  for (const judgement of [BAD, BAD, GOOD, BAD, BAD, NEUTRAL]) {
    assert.equal(scene.detector.record(stats, judgement, scene.endpoints), false);
  }
  assert.equal(scene.detector.record(stats, BAD, scene.endpoints), true);
  assert.equal(stats.ejected(scene.nowMs), true);
  assert.equal(stats.ejected(scene.nowMs + 1000), false);
});

Deno.test("OutlierDetector ejects longer each time, up to a limit, and forgives good time", () => {
  const scene = new Scene(4);
  const lengths: number[] = [];
  for (let i = 0; i < 12; i++) {
    const length = scene.fail(0);
    lengths.push(length / 1000);
    scene.nowMs += length;
  }
  assert.deepEqual(lengths, [1, 2, 3, 4, 5, 6, 7, 8, 9, LONGEST_EJECTION, 10, 10]);
  scene.nowMs += 8000; // eight base times in rotation
  assert.equal(scene.fail(0), 3000);
});

Deno.test("OutlierDetector does not lengthen an ejection by failures that were under way", () => {
  const scene = new Scene(4);
  assert.equal(scene.fail(0), 1000);
  scene.nowMs += 500;
  assert.equal(scene.fail(0), 500);
});

Deno.test("OutlierDetector ejects one of two although half of two rounds to one", () => {
  const scene = new Scene(2, { maxEjectionPercent: 10 });
  assert.equal(scene.fail(0), 1000);
  assert.equal(scene.fail(1), 0);
});

Deno.test("OutlierDetector never ejects the only endpoint, nor any at 0 percent", () => {
  assert.equal(new Scene(1, { maxEjectionPercent: 100 }).fail(0), 0);
  assert.equal(new Scene(5, { maxEjectionPercent: 0 }).fail(0), 0);
});

Deno.test("OutlierDetector never ejects more than its share, whatever fails when", () => {
  const event = fc.record({ at: fc.nat(), afterMs: fc.integer({ min: 0, max: 700 }) });
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 200 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 100 }),
      (events, count, maxEjectionPercent) => {
        const scene = new Scene(count, { maxEjectionPercent, consecutive5xx: 1 });
        const share = Math.floor(count * maxEjectionPercent / 100);
        const most = count < 2 || maxEjectionPercent === 0 ? 0 : Math.max(1, share);
        for (const { at, afterMs } of events) {
          scene.nowMs += afterMs;
          scene.fail(at % count, 1);
          const out = scene.endpoints.filter(({ stats }) => stats.ejected(scene.nowMs));
          assert.ok(out.length <= most, `${out.length} of ${count} ejected, at most ${most}`);
        }
      },
    ),
  );
});

Deno.test("An ejection survives an update of the endpoint list", () => {
  const table = new StatsTable();
  const list = (addresses: string[]) => {
    table.retain(addresses);
    return addresses.map((address) => ({ stats: table.of(address) }));
  };
  const detector = new OutlierDetector(CONFIG, { nowMs: () => 0, monotonicMs: () => 0 });
  const before = list(["a", "b", "c"]);
  for (let i = 0; i < 3; i++) detector.record(before[0]!.stats, BAD, before);
  assert.equal(list(["d", "a"])[1]!.stats.ejected(500), true);
});
