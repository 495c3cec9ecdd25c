/** What a hostile filter costs its neighbours: the p99 of another route beside attacks on it, and without. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { http, Load } from "../support/http.ts";
import { HOSTILE } from "../support/hostile_modules.ts";

/** Rounds; in each another filter is attacked. `deno task soak hostile 72` has every one. */
const ROUNDS = Number(Deno.env.get("SOAK_RENEWALS") ?? 4);
const REQUESTS = 1200, WORKERS = 2;
/** Between two requests for the filter under attack. */
const ATTACK_MS = 20;
/** What a scheduler may take from either; the goal is the factor. */
const FACTOR = 2, SLACK_MS = 15;

/** The proxy as a program of its own, so that nothing but its sockets ties it to the clock here. */
async function startProxy(): Promise<{ url: string; stop(): Promise<void> }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(new URL("../support/hostile_proxy.ts", import.meta.url))],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  return {
    url: String(value).split("\n")[0]!,
    async stop() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

async function p99(url: string): Promise<number> {
  const load = new Load({ url: `${url}/plain`, workers: WORKERS });
  await load.more(REQUESTS);
  const { latencies, failures } = await load.stop();
  assert.deepEqual(failures, []);
  return latencies[Math.floor(latencies.length * 0.99)]!;
}

function attack(url: string): () => Promise<number> {
  let running = true, sent = 0;
  const loop = (async () => {
    while (running) {
      await http(url, { method: "POST", body: "some bytes" }).catch(() => {}); // some are cut off
      sent++;
      await new Promise((resolve) => setTimeout(resolve, ATTACK_MS));
    }
  })();
  return async () => {
    running = false;
    await loop;
    return sent;
  };
}

const median = (list: number[]): number => list.sort((a, b) => a - b)[list.length >> 1]!;

Deno.test("Beside attacks on hostile filters other requests keep their p99", async () => {
  const proxy = await startProxy();
  try {
    const names = Object.keys(HOSTILE);
    await p99(proxy.url); // warm
    const quiet: number[] = [], attacked: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const at = Math.floor(round * names.length / ROUNDS);
      quiet.push(await p99(proxy.url));
      const stop = attack(`${proxy.url}/h${at}/`);
      attacked.push(await p99(proxy.url));
      assert.ok(await stop() > 0);
      const [a, b] = [quiet.at(-1)!.toFixed(1), attacked.at(-1)!.toFixed(1)];
      console.log(`p99 ${a} ms alone, ${b} ms beside ${names[at]}`);
    }
    const [alone, beside] = [median(quiet), median(attacked)];
    assert.ok(
      beside <= FACTOR * alone + SLACK_MS,
      `p99 ${beside.toFixed(1)} ms beside attacks, ${alone.toFixed(1)} ms without`,
    );
  } finally {
    await proxy.stop();
  }
});
