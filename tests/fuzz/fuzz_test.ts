/** Each fuzz target for a moment, in a process of its own; `deno task fuzz` looks longer. */
import assert from "node:assert/strict";
import { TARGETS } from "./targets.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const SECONDS = Deno.env.get("FUZZ_SECONDS") ?? "1";
const FLAGS = ["-A", "--no-check", "--v8-flags=--max-old-space-size=512,--expose-gc"];

async function fuzz(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...FLAGS, MAIN, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, text: decode(stdout) + decode(stderr) };
}

for (const name of Object.keys(TARGETS)) {
  Deno.test(`Fuzz: ${name} takes whatever comes`, async () => {
    const { code, text } = await fuzz(name, SECONDS);
    assert.equal(code, 0, text);
    console.log(text.trim().split("\n").at(-1));
  });
}

Deno.test("Fuzz: an unknown target is refused with the names of those there are", async () => {
  const { code, text } = await fuzz("h3");
  assert.equal(code, 2);
  assert.match(text, /no fuzz target "h3"[^]*h2-server/);
});
