/** A real protocol that is not HTTP: Redis and its own client through two sidecars. */
import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { meshService, startMesh, until } from "../support/mesh.ts";

const COMMANDS = 20_000;

Deno.test("Redis works through two sidecars as it does without", async (t) => {
  if (await version() === null) return console.log("skipped: there is no redis-server on the PATH");
  await using redis = await startRedis();
  await using mesh = await startMesh({
    gateway: false,
    services: [
      { name: "web", flags: ["--upstream", "cache:6379=127.0.0.1:0"] },
      { name: "cache", address: redis.address },
    ],
    resources: [meshService("cache", { ports: [{ port: 6379, protocol: "TCP" }] })],
  });
  const cli = (args: string[], input?: string): Promise<string> =>
    redisCli(mesh.listener("web", "cache:6379"), args, input);

  await t.step("values come back, also large ones", async () => {
    assert.equal(await cli(["set", "a", "1"]), "OK\n");
    assert.equal(await cli(["get", "a"]), "1\n");
    const large = "x".repeat(3_000_000);
    assert.equal(await cli(["-x", "set", "large"], large), "OK\n");
    assert.equal(await cli(["get", "large"]), `${large}\n`);
  });

  await t.step(`${COMMANDS} pipelined commands are all answered`, async () => {
    const lines: string[] = [];
    for (let i = 0; i < COMMANDS; i++) lines.push(`SET key:${i} value:${i}\r\n`);
    assert.match(await cli(["--pipe"], lines.join("")), new RegExp(`replies: ${COMMANDS}\\n`));
    assert.equal(await cli(["get", `key:${COMMANDS - 1}`]), `value:${COMMANDS - 1}\n`);
  });

  await t.step("a client that blocks is woken by another one", async () => {
    const waiting = cli(["blpop", "queue", "10"]);
    // It waits at the server, seen by the server itself.
    await until(
      async () => /blocked_clients:1/.test(await cli(["info", "clients"])) || null,
      5_000,
    );
    assert.equal(await cli(["rpush", "queue", "work"]), "1\n");
    assert.equal(await waiting, "queue\nwork\n");
  });

  await t.step("every connection of the clients is gone from the server", async () => {
    await until(
      async () => /connected_clients:1\r/.test(await cli(["info", "clients"])) || null,
      5_000,
    );
  });
});

async function version(): Promise<string | null> {
  try {
    const { stdout } = await new Deno.Command("redis-server", { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout);
  } catch {
    return null;
  }
}

async function startRedis() {
  const port = freePort();
  const dir = await Deno.makeTempDir({ prefix: "denim-redis-" });
  const child = new Deno.Command("redis-server", {
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const address = `127.0.0.1:${port}`;
  await until(async () => (await redisCli(address, ["ping"])) === "PONG\n" || null, 10_000);
  return {
    address,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function redisCli(address: string, args: string[], input?: string): Promise<string> {
  const [host, port] = address.split(":");
  const child = new Deno.Command("redis-cli", {
    args: ["-h", host!, "-p", port!, ...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  return new TextDecoder().decode((await child.output()).stdout);
}
