/** The proxy's end of the stream against a real control plane in this process. */
import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { type RunningControl, startControl } from "../../control/main.ts";
import type { ProxyReport } from "../../control/schema/protocol.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import { obtainIdentity } from "./join.ts";
import { LastGood } from "./last_good.ts";
import { Keys } from "./keys.ts";
import { Modules } from "./modules.ts";
import { subscribe, type Subscription } from "./subscribe.ts";

const WAIT_MS = 8000;
const NODE = { kind: "sidecar", namespace: "default", name: "web" } as const;

/** A control plane whose ports stay the same over restarts. */
class Mesh implements AsyncDisposable {
  readonly dir: string;
  readonly #leafTtlMs: number;
  control: RunningControl;

  private constructor(dir: string, leafTtlMs: number, control: RunningControl) {
    this.dir = dir;
    this.#leafTtlMs = leafTtlMs;
    this.control = control;
  }

  static async start(leafTtlMs = 3_600_000): Promise<Mesh> {
    const dir = await Deno.makeTempDir();
    return new Mesh(dir, leafTtlMs, await open(dir, leafTtlMs, 0, 0));
  }

  get place(): { host: string; port: number } {
    return { host: "127.0.0.1", port: Number(this.control.meshAddress.split(":")[1]) };
  }

  async restart(): Promise<void> {
    const { port } = new URL(this.control.url), mesh = this.place.port;
    await this.control.close();
    this.control = await open(this.dir, this.#leafTtlMs, Number(port), mesh);
  }

  async post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const token = (await Deno.readTextFile(this.control.adminTokenFile)).trim();
    const response = await fetch(`${this.control.url}/api/v1${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer;
  }

  async apply(name: string): Promise<void> {
    await this.post("/apply", {
      resources: [{
        apiVersion: "denim.dev/v1",
        kind: "Service",
        metadata: { name },
        spec: { ports: [{ port: 80 }] },
      }],
    });
  }

  async proxy(): Promise<Record<string, unknown>> {
    const { proxies } = await (await fetch(`${this.control.url}/api/v1/proxies`)).json();
    return proxies[0] ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control.close();
    await Deno.remove(this.dir, { recursive: true });
  }
}

function open(data: string, leafTtlMs: number, port: number, mesh: number) {
  return startControl({
    data,
    listen: { host: "127.0.0.1", port },
    meshListen: { host: "127.0.0.1", port: mesh },
    trustDomain: "mesh.local",
    leafTtlMs,
    log: silentLog,
  });
}

/** A subscription that takes every snapshot but those that name the Service `refused`. */
class Proxy implements AsyncDisposable {
  readonly state: string;
  readonly lastGood: LastGood;
  leansOnPast = false;
  readonly identity;
  readonly applied: Snapshot[] = [];
  readonly subscription: Subscription;

  constructor(mesh: Mesh, parts: { state: string; lastGood: LastGood; identity: Identity }) {
    this.state = parts.state;
    this.lastGood = parts.lastGood;
    this.identity = parts.identity;
    this.subscription = subscribe({
      control: mesh.place,
      identity: parts.identity,
      greeting: { node: NODE, inbound: "127.0.0.1:15001", labels: {}, admin: "http://x", pid: 1 },
      version: null,
      apply: (snapshot) => {
        if ("default/refused:80" in snapshot.backends) throw new Error("this one I do not take");
        this.applied.push(snapshot);
        return Promise.resolve();
      },
      report: () => REPORT,
      leansOnPast: () => this.leansOnPast,
      lastGood: parts.lastGood,
      modules: new Modules(parts.lastGood),
      keys: new Keys(parts.lastGood),
      state: parts.state,
      clock: systemClock,
      random: () => 0.5,
      log: silentLog,
    });
  }

  static async start(mesh: Mesh): Promise<Proxy> {
    const state = `${mesh.dir}/state`;
    const { token } = await mesh.post("/tokens", { identity: "default/web" });
    const bundlePem = await (await fetch(`${mesh.control.url}/api/v1/trust-bundle`)).text();
    const identity = await obtainIdentity({
      control: mesh.place,
      bundlePem,
      credential: () => Promise.resolve({ token: String(token) }),
      namespace: "default",
      name: "web",
      state,
      log: silentLog,
      nowMs: Date.now,
    });
    return new Proxy(mesh, { state, identity, lastGood: await LastGood.open(state, silentLog) });
  }

  has(service: string): boolean {
    const last = this.applied.at(-1);
    return last !== undefined && `default/${service}:80` in last.backends;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.subscription.close();
  }
}

type Identity = Awaited<ReturnType<typeof obtainIdentity>>;

const REPORT: ProxyReport = {
  version: null,
  ready: true,
  uptimeMs: 1,
  rssBytes: 1,
  certExpiresMs: null,
  appHealthy: true,
  routes: [],
  filters: [],
};

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS;
  while (!await holds()) {
    assert.ok(performance.now() < giveUpAt, `It never came that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("subscribe puts snapshots in force, refuses bad ones with the reason, and keeps the last good", async () => {
  await using mesh = await Mesh.start();
  await using proxy = await Proxy.start(mesh);
  await mesh.apply("api");
  await until(() => proxy.has("api"), "the Service arrived");
  await until(async () => (await mesh.proxy())["state"] === "in force", "it was acked");

  await mesh.apply("refused");
  await until(async () => (await mesh.proxy())["state"] === "refused", "it was refused");
  assert.equal((await mesh.proxy())["reason"], "this one I do not take");
  const kept = await proxy.lastGood.read(NODE);
  assert.equal(kept?.version, proxy.applied.at(-1)?.version);
  assert.ok("default/api:80" in kept!.backends);
});

Deno.test("subscribe keeps no snapshot on disk from which a start would not have all that serves now", async () => {
  await using mesh = await Mesh.start();
  await using proxy = await Proxy.start(mesh);
  await mesh.apply("api");
  await until(() => proxy.has("api"), "the Service arrived");
  await until(async () => await proxy.lastGood.read(NODE) !== null, "it was kept");
  proxy.leansOnPast = true;
  await mesh.apply("other");
  await until(() => proxy.has("other"), "the other Service arrived");
  await proxy.subscription.close();
  const kept = await proxy.lastGood.read(NODE);
  assert.equal("default/other:80" in kept!.backends, false);
});

Deno.test("subscribe comes back after a restart of the control plane and says bye when it is closed", async () => {
  await using mesh = await Mesh.start();
  const proxy = await Proxy.start(mesh);
  await until(async () => (await mesh.proxy())["state"] === "in force", "it was acked");
  await mesh.restart();
  await until(() => proxy.subscription.connected, "it is back");
  await mesh.apply("later");
  await until(() => proxy.has("later"), "it hears of changes again");
  await proxy.subscription.close();
  await until(async () => (await mesh.proxy())["id"] === undefined, "it is forgotten at once");
});

Deno.test("subscribe renews the certificate in time and keeps the new one on disk", async () => {
  await using mesh = await Mesh.start(3000);
  await using proxy = await Proxy.start(mesh);
  const first = proxy.identity.serial;
  await until(() => proxy.identity.serial !== first, "the certificate was renewed");
  const second = proxy.identity.serial;
  await until(() => proxy.identity.serial !== second, "and again");
  const file = () => Deno.readTextFileSync(`${proxy.state}/identity.json`);
  await until(() => JSON.parse(file()).keyPem === proxy.identity.material.keyPem, "it is kept");
  assert.ok(proxy.identity.notAfterMs > Date.now());
  assert.ok(proxy.subscription.connected);
});
