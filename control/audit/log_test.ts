/** The audit log: both files, their limits, and no secret. */
import assert from "node:assert/strict";
import { createLog } from "../../core/log.ts";
import { AuditLog, type AuditRecord } from "./log.ts";

const entry = (over: Partial<AuditRecord> = {}): AuditRecord => ({
  who: "ann",
  proof: "token",
  from: "10.0.0.9",
  what: "POST /apply",
  target: "revision 1",
  result: "done",
  code: "",
  ...over,
});

async function withLog(
  act: (parts: {
    readonly audit: AuditLog;
    readonly dir: string;
    readonly clock: { ms: number };
    readonly lines: string[];
  }) => Promise<void>,
  limits: Parameters<typeof AuditLog.open>[1]["limits"] = {},
): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "denim-audit-" });
  const dir = `${parent}/audit`;
  const clock = { ms: 1_000_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  const lines: string[] = [];
  try {
    const log = createLog((line) => lines.push(line));
    await act({ audit: await AuditLog.open(dir, { clock, log, limits }), dir, clock, lines });
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("AuditLog tells the newest first, changes and refusals together or apart", async () => {
  await withLog(async ({ audit, dir, clock }) => {
    const results = ["done", "refused", "failed", "refused"] as const;
    for (const [n, result] of results.entries()) {
      clock.ms += 1000;
      audit.record(entry({ result, target: `t${n}` }));
    }
    const told = async (limit: number, result?: "done" | "refused" | "failed") =>
      (await audit.recent({ limit, result })).map((one) => one.target);
    assert.deepEqual(await told(10), ["t3", "t2", "t1", "t0"]);
    assert.deepEqual(await told(2), ["t3", "t2"]);
    assert.deepEqual(await told(10, "refused"), ["t3", "t1"]);
    assert.deepEqual(await told(10, "failed"), ["t2"]);
    assert.equal((await Deno.stat(dir)).mode! & 0o777, 0o700);
    assert.equal((await Deno.stat(`${dir}/changes.jsonl`)).mode! & 0o777, 0o600);
  });
});

Deno.test("AuditLog keeps so much and no more, and refusals push no change out", async () => {
  await withLog(async ({ audit, dir }) => {
    audit.record(entry({ target: "the change" }));
    for (let n = 0; n < 100; n++) audit.record(entry({ result: "refused", target: `r${n}` }));
    const names = [...Deno.readDirSync(dir)].map((one) => one.name).sort();
    assert.deepEqual(names.filter((one) => one.startsWith("refused.jsonl.")), [
      "refused.jsonl.1",
      "refused.jsonl.2",
    ]);
    const recent = await audit.recent({ limit: 100 });
    assert.ok(recent.length < 30, `${recent.length}`);
    assert.ok(recent.some((one) => one.target === "the change"));
    assert.ok(recent.some((one) => one.target === "r99"));
  }, { file: { maxBytes: 1000, kept: 2 } });
});

Deno.test("AuditLog writes so many refusals a minute, and counts the others", async () => {
  await withLog(async ({ audit, clock }) => {
    for (let n = 0; n < 10; n++) audit.record(entry({ result: "refused", target: `r${n}` }));
    audit.record(entry());
    clock.ms += 60_000;
    audit.record(entry({ result: "refused", target: "later" }));
    const told = (await audit.recent({ limit: 10 })).map((one) => [one.target, one.unwritten]);
    assert.deepEqual(told, [
      ["later", undefined],
      ["revision 1", 7],
      ["r2", undefined],
      ["r1", undefined],
      ["r0", undefined],
    ]);
  }, { refusalsPerMinute: 3 });
});

Deno.test("AuditLog holds no secret, whoever puts one where a name belongs", async () => {
  await withLog(async ({ audit, dir }) => {
    const secret = "s".repeat(43);
    audit.record(entry({ target: `token denim-api-${secret}AAAAA`, who: `denim-join-${secret}` }));
    const text = await Deno.readTextFile(`${dir}/changes.jsonl`);
    assert.ok(!text.includes(secret), text);
    assert.match(text, /denim-api-\[redacted\]/);
  });
});

Deno.test("AuditLog says when it cannot be written, and recovers by itself", async () => {
  await withLog(async ({ audit, dir, lines }) => {
    audit.record(entry({ target: "before" }));
    assert.equal(audit.isWritable(), true);
    await Deno.rename(dir, `${dir}-away`);
    audit.record(entry({ target: "lost" }));
    assert.match(lines.join("\n"), /audit\.not_written.*lost/);
    assert.equal(audit.isWritable(), false);
    assert.equal(audit.isWritable(), false);
    await Deno.rename(`${dir}-away`, dir);
    assert.equal(audit.isWritable(), true);
    const told = (await audit.recent({ limit: 10 })).map((one) => one.target);
    assert.deepEqual(told, ["could not be written and can be again", "before"]);
  });
});

Deno.test("AuditLog passes over a line that a power cut left half written", async () => {
  await withLog(async ({ audit, dir }) => {
    audit.record(entry({ target: "whole" }));
    await Deno.writeTextFile(`${dir}/changes.jsonl`, '{"time":"2026', { append: true });
    assert.deepEqual((await audit.recent({ limit: 5 })).map((one) => one.target), ["whole"]);
  });
});
