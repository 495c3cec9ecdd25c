/** The table of results, and the copy of it in the README. */
import assert from "node:assert/strict";
import { kept } from "./history.ts";
import { BENCHES, cells, type Result, table } from "./table.ts";

const START: Result = {
  bench: "start",
  starts: 3,
  medianMs: 140,
  maxMs: 150,
  aloneMedianMs: 160,
  limitMs: 150,
  withinLimit: true,
};

Deno.test("table shows figures of all contenders and what Denim's are of haproxy's", () => {
  const figures = (callsPerSecond: number) => ({
    cpuUsPerCall: 10,
    callsPerSecond,
    meanMs: 1,
    othersPercent: 0,
  });
  const medians = { denim: figures(30), haproxy: figures(40), envoy: figures(20) };
  const lines = table([
    {
      bench: "grpc",
      rounds: 1,
      callsPerRound: 1,
      messageBytes: 1,
      at: { "8x1": { medians, ratio: {}, each: [] } },
    },
    START,
  ]).split("\n");
  assert.equal(lines[3], "| Unary gRPC, 8x1, calls/s | 30 | 40 |  |  | 20 | 0.75 |  |");
  assert.equal(lines[4], "| Sidecar, start to ready, ms | 140 |  |  |  |  |  | ≤ 150 |");
});

Deno.test("table shows how far a download moves the p99 of small requests", () => {
  const figures = (moved: number, besideP99Us: number) => ({
    aloneP50Us: 1,
    aloneP99Us: 1,
    besideP50Us: 1,
    besideP99Us,
    apartP50Us: 1,
    apartP99Us: 1,
    moved,
    movedBySharing: 1.5,
    mbPerSecond: 90,
    apartMbPerSecond: 90,
    othersPercent: 0,
  });
  const [, , moved, sharing, p99, download] = table([{
    bench: "fairness",
    rounds: 1,
    secondsPerRound: 4,
    perSecond: 500,
    bodyBytes: 1024,
    downloadBytes: 1e9,
    medians: { denim: figures(3, 900), haproxy: figures(2, 600) },
    ratio: {},
    each: [],
  }]).split("\n");
  const small = "Beside a 1 GB download, 500/s";
  assert.equal(moved, `| ${small}, p99 ÷ alone | 3 | 2 |  |  |  | 1.50 | Denim ≤ 2 |`);
  assert.equal(sharing, `| ${small}, p99 ÷ beside one apart | 1.5 | 1.5 |  |  |  | 1.00 |  |`);
  assert.equal(p99, `| ${small}, p99 µs | 900 | 600 |  |  |  | 1.50 |  |`);
  assert.equal(download, "| That download, MB/s | 90 | 90 |  |  |  | 1.00 |  |");
});

Deno.test("table says so when other programs disturbed most of the rounds", () => {
  const figures = (othersPercent: number) => ({
    mbPerSecond: 1,
    cpuSecondsPerGb: 1,
    othersPercent,
  });
  const one = (...shares: number[]) => ({
    medians: { denim: figures(0) },
    ratio: {},
    each: shares.map((share) => ({ denim: figures(share) })),
  });
  const at = { down: one(50, 0, 60), up: one(50, 0, 0) };
  const [, , down, , up] = table([{ bench: "stream", rounds: 3, bytes: 1e9, at }]).split("\n");
  assert.match(down ?? "", /^\| 1 GB down, MB\/s \(busy machine\) \|/);
  assert.match(up ?? "", /^\| 1 GB up, MB\/s \|/);
});

Deno.test("table shows what Wasm filters add, by Denim and by Envoy where it runs them", () => {
  const load = { medians: {}, ratio: {}, each: [] };
  const ms = { instrument: 1, start: 1, trace: 1, total: 90 };
  const added = {
    noop: { metered: 2.5, unmetered: 2, envoy: 5 },
    go: { metered: 9, unmetered: 8, envoy: null },
  };
  const lines = table([{
    bench: "wasm",
    rounds: 1,
    seconds: 1,
    hop: { connections: 1, bodyBytes: 1, added, load, envoyRefused: {} },
    metering: {
      "c/json": { unmeteredMs: 1, meteredMs: 1.1, costPercent: 10 },
      "c/sha256": { unmeteredMs: 1, meteredMs: 1.05, costPercent: 5 },
    },
    admission: { moduleBytes: 2_690_000, first: ms, warm: ms },
    many: {
      modules: 10,
      bindings: 100,
      languages: ["noop"],
      bytesWith: 140e6,
      bytesWithout: 100e6,
      readyMsWith: 2,
      readyMsWithout: 1,
    },
    missing: {},
    withinLimit: false,
  }]).split("\n").slice(2);
  assert.deepEqual(lines, [
    "| An empty Wasm filter adds, CPU µs a request | 2.5 |  |  |  | 5 |  | Denim ≤ 3 |",
    "| A header filter in Go adds, CPU µs a request | 9 |  |  |  |  |  | Denim ≤ 8 |",
    "| Metering costs programs that compute, at most, % | 10 |  |  |  |  |  | ≤ 15 |",
    "| Admission of a module of 2.7 MB, ms | 90 |  |  |  |  |  | ≤ 100 |",
    "| 100 Wasm filters in one proxy, MB more | 40 |  |  |  |  |  | ≤ 60 |",
  ]);
});

Deno.test("every figure of the README's table was measured and kept", async () => {
  const measured = new Set<string>();
  for (const name of BENCHES) {
    for (const result of await kept<Result>(name)) {
      for (const row of cells(result)) measured.add(row.join("|"));
    }
  }
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const rows = readme.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const [head, , ...figures] = rows.slice(rows.findIndex((row) => row[0] === "What"));
  assert.equal(head?.[1], "Denim", "README.md has no table of benches");
  assert.ok(figures.length > 0);
  for (const row of figures) {
    assert.ok(measured.has(row.join("|")), `No line of bench/history gives: ${row.join(" | ")}`);
  }
});
