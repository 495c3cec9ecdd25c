/** A proxy's admin pages on a Unix socket: of one process, and of a supervisor with its workers. */
import assert from "node:assert/strict";
import { Denim } from "../support/denim.ts";
import { eventually } from "../support/control.ts";

const CONFIG = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  listeners: [{ name: http, port: 0, protocol: HTTP }]
`;

async function withFolder(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-socket-" });
  try {
    await Deno.writeTextFile(`${dir}/edge.yaml`, CONFIG);
    await Deno.mkdir(`${dir}/run`);
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function ask(socket: string, path: string): Promise<{ status: number; text: string }> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  const answer = await fetch(`http://localhost${path}`, { client });
  return { status: answer.status, text: await answer.text() };
}

Deno.test("The admin pages of a proxy are on a Unix socket that only its user may open", async () => {
  await withFolder(async (dir) => {
    const socket = `${dir}/run/admin.sock`;
    await using proxy = new Denim([
      ...["proxy", "--config", `${dir}/edge.yaml`, "--admin", `unix:${socket}`],
    ]);
    await proxy.printed((one) => one.out.some((line) => line.includes(`"admin":"unix:${socket}"`)));
    assert.equal((await Deno.stat(socket)).mode! & 0o777, 0o600);
    assert.deepEqual(await ask(socket, "/ready"), { status: 200, text: "ready\n" });
    assert.match((await ask(socket, "/config_dump")).text, /"listeners":\[/);
    proxy.kill("SIGTERM");
    assert.equal(await proxy.ended(), 0);
    assert.deepEqual([...Deno.readDirSync(`${dir}/run`)], []);
  });
});

Deno.test("A supervisor and its workers have sockets, also when a worker is replaced", async () => {
  await withFolder(async (dir) => {
    const socket = `${dir}/run/admin.sock`;
    await using proxy = new Denim([
      ...["proxy", "--supervise", "--workers", "2", "--config", `${dir}/edge.yaml`],
      ...["--admin", `unix:${socket}`],
    ]);
    await proxy.printed((one) => one.out.some((line) => line.includes(`"admin":"unix:${socket}"`)));
    const pids = async (): Promise<number[]> => {
      const { workers } = JSON.parse((await ask(socket, "/workers")).text);
      return workers.map((one: { pid: number }) => one.pid);
    };
    const before = await pids();
    assert.equal(before.length, 2);
    for (const suffix of ["", ".0", ".1"]) {
      assert.equal((await Deno.stat(`${socket}${suffix}`)).mode! & 0o777, 0o600);
    }
    const { text } = await ask(socket, "/metrics");
    for (const worker of [0, 1]) assert.match(text, new RegExp(`worker="${worker}"`));
    proxy.kill("SIGHUP");
    await eventually(pids, (now) => now.length === 2 && now.every((pid) => !before.includes(pid)));
    assert.deepEqual(await ask(socket, "/ready"), { status: 200, text: "ready\n" });
    assert.match((await ask(socket, "/config_dump")).text, /"listeners":\[/);
  });
});

Deno.test("A socket that cannot be made is told with its path, and a relative one is refused", async () => {
  await withFolder(async (dir) => {
    const start = async (admin: string): Promise<[number, string]> => {
      await using proxy = new Denim(["proxy", "--config", `${dir}/edge.yaml`, "--admin", admin]);
      return [await proxy.ended(), proxy.text];
    };
    const [failed, why] = await start(`unix:${dir}/none/admin.sock`);
    assert.equal(failed, 1);
    assert.match(why, /Cannot open the admin socket ".*none\/admin\.sock".*Make its folder/);
    const [usage, wanted] = await start("unix:admin.sock");
    assert.equal(usage, 2);
    assert.match(wanted, /wanted a whole path/);
  });
});
