/** The audit trail: whole lines, owner only, put aside at its limit, and nothing can be taken out unseen. */
import assert from "node:assert/strict";
import { type Issuance, IssuanceLog, plainSerial } from "./issuance_log.ts";

const WEB = "spiffe://mesh.test/ns/default/sa/web";
const entry = (serial: string, over: Partial<Issuance> = {}): Issuance => ({
  time: "2026-11-24T03:30:00.000Z",
  serial,
  identity: WEB,
  notBefore: "2026-11-24T03:29:00.000Z",
  notAfter: "2026-11-25T03:30:00.000Z",
  issuer: "01",
  key: "00",
  ...over,
});

async function withFile(test: (file: string, dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-log-" });
  try {
    await test(`${dir}/issued.jsonl`, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const all = { limit: 1000 };
const serials = async (log: IssuanceLog, query = {}): Promise<string[]> =>
  (await log.search({ ...all, ...query })).found.map((one) => one.serial);

Deno.test("IssuanceLog appends whole lines and keeps as many old files as it may", () =>
  withFile(async (file, dir) => {
    const log = await IssuanceLog.open(file, { maxBytes: 1000, kept: 2 });
    for (let i = 0; i < 12; i++) await log.append(entry(`A${i}`));
    const names = [...Deno.readDirSync(dir)].map((one) => one.name).sort();
    assert.deepEqual(names, ["issued.jsonl.1", "issued.jsonl.2"]);
    assert.equal(((await Deno.stat(`${file}.1`)).mode ?? 0) & 0o777, 0o600);
    const { lines, first, breaks, head } = await log.search(all);
    assert.deepEqual({ lines, first, breaks, n: head.n }, {
      lines: 8,
      first: 5,
      breaks: [],
      n: 12,
    });
  }));

Deno.test("IssuanceLog goes on where it ended, over put-aside files and half a line", () =>
  withFile(async (file) => {
    const limits = { maxBytes: 1000, kept: 8 };
    for (let i = 0; i < 9; i++) await (await IssuanceLog.open(file, limits)).append(entry(`A${i}`));
    assert.deepEqual((await (await IssuanceLog.open(file, limits)).search(all)).breaks, []);
    await Deno.writeTextFile(file, '{"n":10,"previous":"', { append: true });
    const log = await IssuanceLog.open(file, limits);
    await log.append(entry("B"));
    const { breaks, found } = await log.search(all);
    assert.deepEqual(breaks, ["the line after line 9 is damaged"]);
    assert.equal(found[0]!.n, 11);
  }));

Deno.test("IssuanceLog finds by identity, serial and time, the newest first", () =>
  withFile(async (file) => {
    const log = await IssuanceLog.open(file);
    await log.append(entry("0AB1"));
    await log.append(entry("0AB2", { identity: `${WEB}2` }));
    await log.append(entry("0AB3", { time: "2026-11-24T04:00:00.000Z" }));
    assert.deepEqual(await serials(log), ["0AB3", "0AB2", "0AB1"]);
    assert.deepEqual(await serials(log, { limit: 1 }), ["0AB3"]);
    assert.deepEqual(await serials(log, { identity: WEB }), ["0AB3", "0AB1"]);
    assert.deepEqual(await serials(log, { serial: "00:0a:b2" }), ["0AB2"]);
    assert.deepEqual(await serials(log, { sinceMs: Date.UTC(2026, 10, 24, 3, 31) }), ["0AB3"]);
  }));

/** What somebody does to five lines, and what is said of it. */
const TAMPERED: readonly (readonly [string, (lines: string[]) => void, RegExp])[] = [
  ["takes one out", (lines) => lines.splice(2, 1), /^lines 3 to 3 are missing$/],
  ["takes two out", (lines) => lines.splice(1, 2), /^lines 2 to 3 are missing$/],
  ["takes the first out", (lines) => lines.splice(0, 1), /^lines 1 to 1 are missing$/],
  ["takes the last out", (lines) => lines.pop(), /ends with line 4, but line 5 was the last/],
  ["changes one", (lines) => lines[2] = lines[2]!.replace("A2", "A9"), /line 3 is not the one/],
  ["puts one in", (lines) => lines.splice(2, 0, lines[2]!), /line 3 is not the one that line 3/],
  ["swaps two", (lines) => lines.splice(1, 2, lines[2]!, lines[1]!), /lines 2 to 2 are missing/],
  ["garbles one", (lines) => lines[3] = "?", /the line after line 3 is damaged/],
];

for (const [what, tamper, says] of TAMPERED) {
  Deno.test(`IssuanceLog shows when somebody ${what}`, () =>
    withFile(async (file) => {
      const log = await IssuanceLog.open(file);
      for (let i = 0; i < 5; i++) await log.append(entry(`A${i}`));
      const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
      tamper(lines);
      await Deno.writeTextFile(file, lines.join("\n") + "\n");
      const { breaks } = await log.search(all);
      assert.ok(breaks.some((one) => says.test(one)), JSON.stringify(breaks));
    }));
}

Deno.test("plainSerial writes a serial as certificates are read, whatever it was copied from", () => {
  for (const text of ["05:50:47:ee", "055047EE", "55047EE", "00055047ee"]) {
    assert.equal(plainSerial(text), "055047EE", text);
  }
  assert.equal(plainSerial("5F3A"), "5F3A");
  assert.equal(plainSerial("00"), "00");
});

Deno.test("IssuanceLog takes up a log that was written before there was a chain", () =>
  withFile(async (file) => {
    const { issuer: _, ...old } = entry("A0");
    await Deno.writeTextFile(file, JSON.stringify(old) + "\n");
    const log = await IssuanceLog.open(file);
    await log.append(entry("A1"));
    assert.deepEqual((await log.search(all)).breaks, []);
    assert.deepEqual(await serials(log), ["A1", "A0"]);
  }));

Deno.test("IssuanceLog writes what comes together in one go, each line after the other", () =>
  withFile(async (file) => {
    const log = await IssuanceLog.open(file);
    await Promise.all(Array.from({ length: 50 }, (_, n) => log.append(entry(`A${n}`))));
    const { breaks, lines, head } = await log.search(all);
    assert.deepEqual({ breaks, lines, n: head.n }, { breaks: [], lines: 50, n: 50 });
  }));

Deno.test("IssuanceLog rejects what it could not write, and goes on with a whole chain", () =>
  withFile(async (file) => {
    const log = await IssuanceLog.open(file);
    await log.append(entry("A0"));
    await Deno.rename(file, `${file}.away`);
    await Deno.mkdir(file);
    await assert.rejects(log.append(entry("A1")));
    await Deno.remove(file);
    await Deno.rename(`${file}.away`, file);
    await log.append(entry("A2"));
    const { breaks } = await log.search(all);
    assert.deepEqual(breaks, []);
    assert.deepEqual(await serials(log), ["A2", "A0"]);
  }));
