import assert from "node:assert/strict";
import { PROXY_ENV, proxyRights, proxyV8Flags } from "./launch.ts";

Deno.test("proxyRights grants the files it is given and no program, library or prompt", () => {
  assert.deepEqual(proxyRights({ read: ["/state", "/bundle.pem"], write: ["/state"] }), [
    "--no-prompt",
    "--allow-net",
    "--deny-net=169.254.169.254",
    "--allow-env=DENIM_DEBUG",
    "--allow-read=/state,/bundle.pem",
    "--allow-write=/state",
  ]);
  for (const right of proxyRights({ read: "all", write: [] })) {
    assert.doesNotMatch(right, /write|run|ffi|sys|-A/);
  }
});

Deno.test("The container's entry point, a shell script, starts a proxy with the same flags", async () => {
  const script = await Deno.readTextFile(new URL("../deploy/denim", import.meta.url));
  assert.ok(script.includes(proxyV8Flags()), proxyV8Flags());
  for (const [name, value] of Object.entries(PROXY_ENV)) {
    assert.ok(script.includes(`export ${name}=${value}`), name);
  }
});

Deno.test("A proxy started by hand, with the task, can scavenge as well", async () => {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("../deno.json", import.meta.url)),
  );
  assert.match(tasks.denim, /--v8-flags=--expose-gc /);
});
