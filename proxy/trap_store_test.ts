import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { join } from "node:path";
import { silentLog } from "../core/log.ts";
import { TRAP_LIMITS, type TrapReport } from "../wasm/trap_report.ts";
import { TrapStore } from "./trap_store.ts";

Deno.test("Traps are kept in the state folder, only so many, and read back oldest first", async () => {
  const state = await Deno.makeTempDir({ prefix: "denim-traps-" });
  try {
    const store = new TrapStore(state, silentLog);
    same(await store.load(), []);
    const count = TRAP_LIMITS.all + 5;
    for (let i = 0; i < count; i++) {
      store.save({ id: `a-${String(i).padStart(3, "0")}`, text: `${i}` } as TrapReport);
    }
    await store.saved();
    await Deno.writeTextFile(join(state, "traps", "zz-1.json"), "{cut of");
    await Deno.writeTextFile(join(state, "traps", "notes.txt"), "not ours");
    const kept = await new TrapStore(state, silentLog).load();
    equal(kept.length, TRAP_LIMITS.all);
    equal(kept[0]!.text, "5");
    equal(kept.at(-1)!.text, String(count - 1));
    const { mode } = await Deno.stat(join(state, "traps", "a-010.json"));
    equal(mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(state, { recursive: true });
  }
});
