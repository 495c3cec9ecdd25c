/** Children of the local mesh: ready, restarted, stopped, and told about in words. */
import assert from "node:assert/strict";
import { Child, guarded } from "./child.ts";

async function program(source: string): Promise<{ path: string } & AsyncDisposable> {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/main.ts`;
  await Deno.writeTextFile(path, source);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

const SERVES = `
  const server = Deno.serve({ port: 0, onListen: ({ port }) =>
    console.log(JSON.stringify({ ready: true, port })) }, () => new Response("x"));
  Deno.addSignalListener("SIGTERM", () => server.shutdown().then(() => Deno.exit(0)));
`;

function childOf(path: string, said: string[], restart = true): Child {
  return new Child(
    { name: "test program", args: guarded(["--allow-net"], path, []), logPath: null },
    { say: (sentence) => said.push(sentence), restart },
  );
}

Deno.test("Child gives the ready line and stops on SIGTERM", async () => {
  await using main = await program(SERVES);
  await using child = childOf(main.path, []);
  const line = await child.start();
  assert.equal(typeof line["port"], "number");
  const pid = child.pid;
  assert.ok(pid > 0);
  await child.stop();
  assert.equal(child.pid, 0);
});

Deno.test("Child starts a program again and says so when it dies", async () => {
  await using main = await program(SERVES);
  const said: string[] = [];
  const back = Promise.withResolvers<void>();
  await using child = new Child(
    { name: "test program", args: guarded(["--allow-net"], main.path, []), logPath: null },
    {
      say: (sentence) => {
        said.push(sentence);
        if (sentence.endsWith("is back")) back.resolve();
      },
    },
  );
  await child.start();
  const first = child.pid;
  child.kill("SIGKILL");
  await back.promise;
  assert.notEqual(child.pid, first);
  assert.match(said[0]!, /^test program ended with signal SIGKILL; starting it again in 0\.25 s/);
});

Deno.test("Child rejects with the end of the log when the program does not come up", async () => {
  await using main = await program(`console.error("the port is taken"); Deno.exit(3);`);
  const said: string[] = [];
  await using child = childOf(main.path, said);
  await assert.rejects(child.start(), /test program ended with code 3\..*the port is taken/s);
  assert.deepEqual(said, []);
});

Deno.test("Child kills a program that ignores SIGTERM when its grace is over", async () => {
  await using main = await program(`${SERVES.replace("server.shutdown()", "Promise.race([])")}`);
  await using child = childOf(main.path, []);
  await child.start();
  await child.stop(100);
  assert.equal(child.pid, 0);
});

Deno.test("orphan_guard ends a program when its parent was killed", async () => {
  await using main = await program(SERVES);
  const child = guarded(["--allow-net"], main.path, []);
  // A parent that starts the program, tells its process id and waits to be killed.
  await using parent = await program(`
    const args = ${
    JSON.stringify(child)
  }.map((one) => one.replace(/parent=\\d+/, "parent=" + Deno.pid));
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    await child.stdout.getReader().read();
    console.log(child.pid);
    setInterval(() => {}, 1000);
  `);
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", parent.path],
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const pid = Number(new TextDecoder().decode((await reader.read()).value));
  assert.ok(alive(pid));
  process.kill("SIGKILL");
  await process.status;
  await reader.cancel();
  const giveUpAt = performance.now() + 5_000;
  while (alive(pid)) {
    assert.ok(performance.now() < giveUpAt, "the child is still alive");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

/** A zombie has ended; it only waits to be counted. */
function alive(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}
