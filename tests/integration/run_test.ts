/** `denim run` as a newcomer meets it: what it starts, writes, leaves behind, and says when it cannot. */
import assert from "node:assert/strict";
import type { LocalMesh } from "../../cli/local/state.ts";
import { Denim, denim } from "../support/denim.ts";
import { http } from "../support/http.ts";
import { until } from "../support/mesh.ts";

/** The promise of the README, with room for a machine that does other things as well. */
const READY_MS = 5_000, SLOW_MACHINE = 3;

interface Home extends AsyncDisposable {
  readonly dir: string;
  local(): LocalMesh;
}

async function home(): Promise<Home> {
  const dir = await Deno.makeTempDir({ prefix: "denim-run-" });
  return {
    dir,
    local: () => JSON.parse(Deno.readTextFileSync(`${dir}/local.json`)),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

const quick = (dir: string, ...more: string[]): Denim =>
  new Denim(["run", "--dir", dir, "--no-filters", ...more]);

const up = (run: Denim): Promise<void> =>
  run.printed((one) => one.text.includes("Ctrl-C stops all of it"));

Deno.test("denim run boots the demo, writes local.json and leaves nothing when it is stopped", async () => {
  await using place = await home();
  await using run = quick(place.dir);
  await up(run);
  const local = place.local();
  assert.deepEqual(Object.keys(local), [
    "control",
    "dashboard",
    "marketplace",
    "gateway",
    "trustBundle",
    "services",
  ]);
  assert.deepEqual(local.services.map((one) => one.name), ["web", "catalog", "reviews", "reviews"]);
  for (const service of local.services) {
    assert.deepEqual(Object.keys(service), [
      "name",
      "identity",
      "outbound",
      "inbound",
      "admin",
      "app",
      "pid",
    ]);
    assert.equal(service.identity, `spiffe://mesh.local/ns/default/sa/${service.name}`);
    assert.ok(alive(service.pid));
  }
  assert.match(Deno.readTextFileSync(local.trustBundle), /BEGIN CERTIFICATE/);
  const answer = await http(`${local.gateway}/`);
  assert.equal(answer.status, 200);
  assert.match(JSON.parse(answer.body).reviews, /^v[12]$/);
  for (const page of [local.dashboard, local.marketplace]) {
    assert.equal((await http(page)).status, 200);
  }
  assert.equal(run.text.split("\n").filter((line) => line.includes("curl ")).length, 5);
  assert.match(run.text, /^ {2}reviews-v1 +sidecar .*\n {2}reviews-v2 +sidecar /m);

  const children = childrenOf(run.pid);
  assert.equal(children.length, 10);
  run.kill("SIGINT");
  assert.equal(await run.ended(), 0);
  assert.deepEqual(children.filter(alive), []);
  const left = [...Deno.readDirSync(place.dir)].map((entry) => entry.name).sort();
  assert.deepEqual(left, ["data", "filters", "logs", "ports.json", "proxies", "trust-bundle.pem"]);
});

Deno.test("denim run takes up its state and its ports when it starts again", async () => {
  await using place = await home();
  let before: LocalMesh;
  {
    await using run = quick(place.dir);
    await up(run);
    before = place.local();
    const moved = await denim(
      ["apply", "-f", await canary(place.dir), "--control", before.control],
      {
        env: { DENIM_TOKEN: Deno.readTextFileSync(`${place.dir}/admin.token`) },
      },
    );
    assert.equal(moved.code, 0, moved.err);
  }
  const startedMs = performance.now();
  await using run = quick(place.dir, "--json");
  await run.printed((one) => one.out.at(-1) === "}");
  assert.ok(performance.now() - startedMs < READY_MS * SLOW_MACHINE);
  const after: LocalMesh = JSON.parse(run.out.join("\n"));
  assert.deepEqual(after, place.local());
  assert.equal(after.gateway, before.gateway);
  for (let n = 0; n < 10; n++) {
    assert.equal(JSON.parse((await http(`${after.gateway}/`)).body).reviews, "v2");
  }
});

Deno.test("denim run starts a sidecar again and says so when it dies", async () => {
  await using place = await home();
  await using run = quick(place.dir);
  await up(run);
  const catalog = place.local().services.find((one) => one.name === "catalog")!;
  Deno.kill(catalog.pid, "SIGKILL");
  await run.printed((one) => one.text.includes("sidecar of catalog is back"));
  assert.match(run.text, /sidecar of catalog ended with signal SIGKILL; starting it again in/);
  const again = place.local().services.find((one) => one.name === "catalog")!;
  assert.notEqual(again.pid, catalog.pid);
  assert.equal(again.inbound, catalog.inbound);
  await until(async () => {
    const answer = await http(`${place.local().gateway}/`);
    return answer.status === 200 && JSON.parse(answer.body).products !== undefined ? answer : null;
  }, 10_000);
});

Deno.test("denim run takes its children with it when it is killed", async () => {
  await using place = await home();
  const run = quick(place.dir);
  await up(run);
  const children = childrenOf(run.pid);
  assert.equal(children.length, 10);
  run.kill("SIGKILL");
  await run.ended();
  await until(() => children.some(alive) ? null : true, 5_000, () => "children are still alive");
  // The lock of a killed mesh holds nobody up.
  await using again = quick(place.dir);
  await up(again);
});

Deno.test("denim run says what to do when a mesh runs already", async () => {
  await using place = await home();
  await using run = quick(place.dir);
  await up(run);
  const second = await denim(["run", "--dir", place.dir]);
  assert.equal(second.code, 1);
  assert.match(
    second.err,
    new RegExp(`already runs .*process ${run.pid}, gateway http.*kill ${run.pid}`),
  );
  assert.equal((await http(`${place.local().gateway}/`)).status, 200);
});

Deno.test("denim run says what to do when a port is busy", async () => {
  await using place = await home();
  using busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const flag of ["--port", "--control-port"]) {
    const run = await denim(["run", "--dir", place.dir, flag, String(busy.addr.port)]);
    assert.equal(run.code, 1);
    assert.match(run.err, new RegExp(`Port ${busy.addr.port} is in use.*${"Choose another"}`));
  }
  assert.throws(() => Deno.statSync(`${place.dir}/run.lock`), Deno.errors.NotFound);
});

Deno.test("denim run says what to do when it may not write", async () => {
  const folder = await denim(["run", "--dir", "/sys/denim"]);
  assert.equal(folder.code, 1);
  assert.match(folder.err, /This user may not write \/sys\/denim.*--dir/);
  await using place = await home();
  const flags = ["--no-prompt", "--allow-read", "--allow-net", "--allow-env", "--allow-sys"];
  const deno = await denim(["run", "--dir", place.dir], { flags });
  assert.equal(deno.code, 1);
  assert.match(deno.err, /Deno was not allowed to use .*add -A/);
});

Deno.test("denim run says what to do when its state is damaged, and begins anew with --fresh", async () => {
  await using place = await home();
  {
    await using run = quick(place.dir);
    await up(run);
  }
  await Deno.writeTextFile(`${place.dir}/ports.json`, `{"control": "soon`);
  const ports = await denim(["run", "--dir", place.dir, "--no-filters"]);
  assert.equal(ports.code, 1);
  assert.match(ports.err, /ports\.json is damaged.*--fresh/);
  await Deno.remove(`${place.dir}/ports.json`);

  for (const entry of Deno.readDirSync(`${place.dir}/data`)) {
    if (/\.(db|sqlite)$/.test(entry.name)) {
      await Deno.writeTextFile(`${place.dir}/data/${entry.name}`, "not a database ".repeat(500));
    }
  }
  const store = await denim(["run", "--dir", place.dir, "--no-filters"]);
  assert.equal(store.code, 1);
  assert.match(store.err, /did not start.*--fresh/s);
  assert.throws(() => Deno.statSync(`${place.dir}/run.lock`), Deno.errors.NotFound);

  await using fresh = quick(place.dir, "--fresh");
  await up(fresh);
  assert.equal((await http(`${place.local().gateway}/`)).status, 200);
});

/** Sends all of reviews to v2, so that a kept state can be told from a new one. */
async function canary(dir: string): Promise<string> {
  const path = `${dir}/all-to-v2.yaml`;
  await Deno.writeTextFile(
    path,
    `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: denim.dev, kind: Service, name: reviews }]
  rules:
    - backendRefs: [{ name: reviews-v2, port: 80 }]
`,
  );
  return path;
}

function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    if (statOf(Number(entry.name))?.parent === pid) children.push(Number(entry.name));
  }
  return children;
}

/** Zombies are dead: they wait only to be counted. */
function alive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== "Z";
}

function statOf(pid: number): { state: string; parent: number } | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: state!, parent: Number(parent) };
  } catch {
    return null;
  }
}
