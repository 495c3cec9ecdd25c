/** Sidecars that leave, are replaced on their own port or crash, under load over multiplexed mesh connections. */
import assert from "node:assert/strict";
import { Child, guarded } from "../../cli/local/child.ts";
import { Load } from "../support/http.ts";
import { meshRoute, startMesh, type TestMesh, until } from "../support/mesh.ts";

const CLI = new URL("../../cli/main.ts", import.meta.url).pathname;
const WEB = meshRoute("web", [{ backendRefs: [{ name: "web", port: 80 }] }]);

/** Echoes a body after a moment, so that every change finds requests under way. */
async function echo(request: Request): Promise<Response> {
  const body = await request.text();
  await new Promise((resolve) => setTimeout(resolve, 4));
  return new Response(body);
}

/** POSTs may not be sent twice: only what certainly was not sent may be tried again. */
function posts(mesh: TestMesh, workers = 8): Load {
  const body = "x".repeat(2_000);
  return new Load({
    url: mesh.gatewayUrl,
    workers,
    method: "POST",
    body,
    check: (answer) =>
      answer.status === 200 && answer.body === body ? null : `${answer.status} ${answer.body}`,
  });
}

interface Workers {
  readonly workers: readonly { readonly pid: number }[];
}

async function workerPid(mesh: TestMesh, key: string): Promise<number> {
  const { workers } = await (await fetch(`${mesh.admin(key)}/workers`)).json() as Workers;
  return workers[0]!.pid;
}

Deno.test("A sidecar replaced three times on its port by SIGHUP under load fails no request", async () => {
  await using mesh = await startMesh({
    services: [{ name: "web", app: echo }],
    resources: [WEB],
    proxyFlags: ["--supervise"],
  });
  const port = mesh.inbound("web");
  const load = posts(mesh, 64);
  for (let n = 1; n <= 3; n++) {
    await load.more(100);
    const before = await workerPid(mesh, "web");
    Deno.kill(mesh.process("web").pid, "SIGHUP");
    await until(
      async () => await workerPid(mesh, "web") !== before ? true : null,
      20_000,
    );
  }
  await load.more(200);
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(mesh.inbound("web"), port);
  assert.equal(await mesh.metric("web", CRASHES), 0);
});

Deno.test("The next version, started beside a sidecar that is then stopped, fails no request", async () => {
  await using mesh = await startMesh({
    services: [{ name: "web", app: echo }],
    resources: [WEB],
    proxyFlags: ["--reuse-port"],
  });
  const load = posts(mesh);
  await load.more(100);
  const place = mesh.inbound("web");
  // With a state folder of its own, as in a new container: it begins without a configuration.
  await using next = await nextVersion(mesh, place);
  assert.equal(next.line!["inbound"], place);
  await load.more(100);
  await mesh.process("web").stop();
  await load.more(200);
  assert.deepEqual((await load.stop()).failures, []);
  const { services } = await mesh.client.get("/api/v1/services") as Services;
  const web = services.find((one) => one.name === "web")!;
  assert.deepEqual(web.workloads.map((one) => [one.inbound, one.healthy]), [[place, true]]);
  const text = await (await fetch(`${next.line!["admin"]}/metrics`)).text();
  assert.match(text, /denim_connections_total\{listener="inbound"\} [1-9]/);
});

Deno.test("One of two sidecars that stops takes no request with it", async () => {
  await using mesh = await startMesh({
    services: ["a", "b"].map((version) => ({ name: "web", labels: { version }, app: echo })),
    resources: [WEB],
  });
  const load = posts(mesh);
  for (let n = 0; n < 3; n++) {
    await load.more(100);
    await mesh.process("web-b").stop();
    await load.more(100);
    await mesh.revive("web-b");
  }
  await load.more(50);
  assert.deepEqual((await load.stop()).failures, []);
});

Deno.test("A sidecar whose process is killed -9 is back at its port; what had not been sent is not lost", async () => {
  await using mesh = await startMesh({
    services: [{ name: "web", app: echo }],
    resources: [WEB],
    proxyFlags: ["--supervise"],
  });
  const pid = await workerPid(mesh, "web");
  const load = posts(mesh, 4);
  await load.more(50);
  Deno.kill(pid, "SIGKILL");
  await until(async () => await mesh.metric("web", CRASHES) === 1 ? true : null, 10_000);
  await load.more(100);
  const { failures } = await load.stop();
  // The four that were under way may be lost: nobody can know what the workload made of them.
  assert.ok(failures.length <= 4, failures.join("\n"));
  for (const failure of failures) assert.match(failure, /upstream\./);
});

interface Services {
  readonly services: readonly {
    readonly name: string;
    readonly workloads: readonly { readonly inbound: string; readonly healthy: boolean }[];
  }[];
}

const CRASHES = 'denim_worker_crashes_total{worker="0"}';

async function nextVersion(mesh: TestMesh, inbound: string): Promise<Child> {
  const token = await mesh.client.joinToken("default/web");
  const { app } = mesh.mesh.local().services.find((one) => one.name === "web")!;
  const child = new Child({
    name: "next version",
    logPath: null,
    args: guarded(["-A"], CLI, [
      ...["proxy", "--service", "web", "--app", app.slice("http://".length)],
      ...["--control", String(mesh.process("control").line!["mesh"])],
      ...["--trust-bundle", `${mesh.folder}/trust-bundle.pem`, "--join-token", token],
      ...["--state", `${mesh.folder}/next`, "--inbound", inbound, "--reuse-port"],
    ]),
  }, { restart: false });
  await child.start();
  return child;
}
