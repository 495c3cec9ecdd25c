/** What HTTP/2 connections may keep: measured after full collections, so it is the same on every machine. */
import assert from "node:assert/strict";

/** Both ends of an idle connection that has carried ten exchanges, tables included. */
const IDLE_BYTES = 64 * 1024;
/** What 30,000 exchanges, all different and some given up, may add to a connection that has had 10,000. */
const GROWN_BYTES = 512 * 1024;

Deno.test("HTTP/2 connections keep little when idle, and no more after many exchanges", async () => {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
      new URL("./h2_memory.ts", import.meta.url).pathname,
    ],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const { idleBytes, grownBytes } = JSON.parse(new TextDecoder().decode(stdout));
  console.log(`both ends of an idle connection: ${idleBytes} bytes; growth: ${grownBytes} bytes`);
  assert.ok(idleBytes < IDLE_BYTES, `${idleBytes} bytes for an idle connection`);
  assert.ok(grownBytes < GROWN_BYTES, `${grownBytes} bytes more after 30,000 exchanges`);
});
