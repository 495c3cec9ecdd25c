/** The audit trail: whole lines, owner only, put aside at its limit. */
import assert from "node:assert/strict";
import { type Issuance, IssuanceLog } from "./issuance_log.ts";

const entry = (serial: string): Issuance => ({
  time: "2026-11-24T03:30:00.000Z",
  serial,
  identity: "spiffe://mesh.test/ns/default/sa/web",
  notBefore: "2026-11-24T03:29:00.000Z",
  notAfter: "2026-11-25T03:30:00.000Z",
  key: "00",
});

Deno.test("IssuanceLog appends whole lines and keeps as many old files as it may", async () => {
  const dir = await Deno.makeTempDir({ prefix: "denim-log-" });
  try {
    const log = new IssuanceLog(`${dir}/issued.jsonl`, { maxBytes: 500, kept: 2 });
    for (let i = 0; i < 12; i++) log.append(entry(`S${i}`));
    const names = [...Deno.readDirSync(dir)].map((one) => one.name).sort();
    assert.deepEqual(names, ["issued.jsonl.1", "issued.jsonl.2"]);
    const newest = (await Deno.readTextFile(`${dir}/issued.jsonl.1`)).trimEnd().split("\n");
    assert.equal(JSON.parse(newest.at(-1)!).serial, "S11");
    assert.equal((await Deno.stat(`${dir}/issued.jsonl.1`)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
