/** Launchers are told from a person's shell, and the end of one is noticed. */
import assert from "node:assert/strict";
import { anyEnded, isLauncher, launchers } from "./launchers.ts";

Deno.test("isLauncher knows what stands between a person and the mesh", () => {
  for (
    const command of [
      "npm exec deno@2.9.6 task run",
      "node /usr/bin/npx --yes deno@2.9.6 task run",
      "sh -c 'deno' task run",
      "sh -c deno task run",
      "deno task run",
      "/root/.npm/_npx/1/node_modules/deno/deno task run",
    ]
  ) {
    assert.ok(isLauncher(command), command);
  }
  for (const command of ["-bash", "bash", "zsh -l", "tmux", "deno run -A x.ts", "", "sshd: me"]) {
    assert.ok(!isLauncher(command), command);
  }
});

Deno.test("anyEnded is true when a launcher has gone", async () => {
  const shell = new Deno.Command("sh", { args: ["-c", "sleep 30; true"] }).spawn();
  try {
    const settled = performance.now() + 2_000;
    while (anyEnded([shell.pid]) && performance.now() < settled) {
      await new Promise((r) => setTimeout(r, 5));
    }
    assert.equal(anyEnded([shell.pid]), false);
  } finally {
    shell.kill("SIGKILL");
    await shell.status;
  }
  assert.equal(anyEnded([shell.pid]), true);
  assert.ok(!launchers().includes(shell.pid));
});
