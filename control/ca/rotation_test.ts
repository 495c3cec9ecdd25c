/**
 * Rotations against real files, with proxies that say only when asked: nobody ever refuses anybody, no step
 * is taken before all are ready, and a crash before any change of any file changes nothing of that.
 */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import {
  createKeyAndCsr,
  decodePem,
  issuerOf,
  readTrustBundle,
  type TrustBundle,
  verifyPeer,
} from "../../proxy/tls/mod.ts";
import type { Member } from "../push/roster.ts";
import { MemoryStore } from "../store/memory.ts";
import { Authority } from "./authority.ts";
import { RevocationList } from "./revocations.ts";
import { Rotation, RotationError, type RotationRequest } from "./rotation.ts";
import { RotationFiles } from "./rotation_files.ts";
import type { Step } from "./rotation_steps.ts";

const DOMAIN = "mesh.local";
/** A crash before every seventh change, which other runs begin elsewhere; before each with CRASHES=all. */
const ALL = Deno.env.get("CRASHES") === "all";
const STRIDE = ALL ? 1 : 7, FIRST = ALL ? 0 : new Date().getMinutes() % STRIDE;
const ROOT: RotationRequest = {
  ...{ kind: "root", compromised: false, now: false, brought: null, author: "ann" },
};
const INTERMEDIATE: RotationRequest = { ...ROOT, kind: "intermediate" };
const COMPROMISED: RotationRequest = { ...INTERMEDIATE, compromised: true };

/** A proxy: what it shows, and whom it believes. */
interface Proxy {
  readonly id: string;
  connected: boolean;
  chain: readonly Uint8Array[];
  bundle: readonly string[];
  trust: string;
}

class Crash extends Error {}

class Rig implements AsyncDisposable {
  readonly proxies: Proxy[] = [];
  readonly asked: string[] = [];
  readonly #dir: string;
  readonly #store = new MemoryStore();
  readonly clock = { ms: Date.now(), nowMs: () => this.clock.ms, monotonicMs: () => this.clock.ms };
  /** Changes of files until the process dies; Infinity: never. */
  crashAfter = Infinity;
  changes = 0;
  authority!: Authority;
  rotation!: Rotation;
  revocations!: RevocationList;
  own: readonly Uint8Array[] = [];

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async start(names: readonly string[] = ["web", "catalog"]): Promise<Rig> {
    const rig = new Rig(await Deno.makeTempDir({ prefix: "denim-rotation-" }));
    await rig.boot();
    for (const id of names) {
      const proxy = { id, connected: true, chain: [], bundle: [], trust: "" };
      rig.proxies.push(proxy);
      rig.hears(proxy);
      await rig.renews(proxy);
    }
    return rig;
  }

  get dir(): string {
    return this.#dir;
  }

  /** A process on what is on the disk. */
  async boot(): Promise<void> {
    this.crashAfter = Infinity;
    const { clock } = this;
    const files = new RotationFiles({
      ...{ dir: this.#dir, trustDomain: DOMAIN, clock },
      beforeChange: (what) => {
        this.changes++;
        if (this.crashAfter-- <= 0) {
          this.crashAfter = 0; // a dead process does nothing any more
          throw new Crash(what);
        }
      },
    });
    await Rotation.recover(files);
    this.authority = await Authority.open(this.#dir, { trustDomain: DOMAIN, clock });
    this.revocations = await RevocationList.open(this.#store, { clock, log: silentLog });
    await this.#renewOwn();
    this.authority.onChange(() =>
      void (this.#renewing = this.#renewing.then(() => this.#renewOwn()))
    );
    this.rotation = await Rotation.open({
      ...{ files, authority: this.authority, revocations: this.revocations, clock, log: silentLog },
      roster: { all: () => this.proxies.map((one) => this.#member(one)) },
      trustHash: () => this.#trust(),
      refusal: () => "",
      ownIssuer: () => issuerOf(this.own),
      askToRenew: (id) => this.asked.push(id),
    });
  }

  get crashed(): boolean {
    return this.crashAfter === 0;
  }
  get step(): Step | undefined {
    return this.rotation.status()?.step;
  }

  /** Takes up what it is told to believe. */
  hears(proxy: Proxy): void {
    proxy.bundle = this.authority.bundle();
    proxy.trust = this.#trust();
  }

  async renews(proxy: Proxy): Promise<void> {
    const { csrPem } = createKeyAndCsr();
    const { chainPem } = await this.authority.issue(idOf(proxy.id), csrPem);
    proxy.chain = decodePem(chainPem, "CERTIFICATE")!;
  }

  /** As far as it goes by itself; everybody still believes everybody then. */
  async goesOn(): Promise<void> {
    await this.rotation.advance();
    await this.#renewing;
    await this.rotation.advance();
    await this.#renewing;
    if (!this.crashed) this.believes();
  }

  /** Every proxy and the control plane would let every other one in. */
  believes(): void {
    const shown = [...this.proxies.map((one) => one.chain), this.own];
    for (const { id, bundle } of this.proxies) {
      const trust = trustOf(bundle);
      for (const chain of shown) {
        const verdict = verifyPeer(chain, trust, { nowMs: this.clock.ms, role: "server" });
        assert.ok(
          verdict.ok,
          `${id} refuses somebody in step ${this.step}: ${JSON.stringify(verdict)}`,
        );
      }
    }
  }

  /** Answers as live proxies do until it is over, or the process has died. */
  async run(): Promise<void> {
    for (let turn = 0; turn < 50 && !this.rotation.isOver && !this.crashed; turn++) {
      await this.goesOn();
      for (const proxy of this.proxies) {
        if (this.crashed) return;
        this.hears(proxy);
        if (this.asked.includes(proxy.id)) await this.renews(proxy);
        this.believes();
      }
      this.asked.length = 0;
      this.clock.ms += 11_000;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#renewing;
    await Deno.remove(this.#dir, { recursive: true });
  }

  #renewing: Promise<void> = Promise.resolve();

  async #renewOwn(): Promise<void> {
    this.own = decodePem((await this.authority.controlPlaneSvid()).chainPem, "CERTIFICATE")!;
  }

  #trust(): string {
    return JSON.stringify([this.authority.bundle(), this.revocations.spec]);
  }

  #member({ id, connected, chain, trust }: Proxy): Member {
    return {
      ...{ id, name: `sidecar default/${id}`, identity: idOf(id), connected, trust },
      issuer: issuerOf(chain),
      certExpiresMs: this.clock.ms + 3_600_000,
    };
  }
}

const bundles = new Map<string, TrustBundle>();

/** The same one for the same text, because it remembers whom it has vouched for. */
function trustOf(bundle: readonly string[]): TrustBundle {
  const text = bundle.join("");
  let trust = bundles.get(text);
  if (trust === undefined) bundles.set(text, trust = readTrustBundle(DOMAIN, bundle));
  return trust;
}

function idOf(name: string): string {
  return `spiffe://${DOMAIN}/ns/default/sa/${name}`;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("A root's rotation waits in each step for the last proxy", async () => {
  await using rig = await Rig.start();
  const [web, catalog] = rig.proxies as [Proxy, Proxy];
  const [oldRoot] = rig.authority.bundle();
  await rig.rotation.start(ROOT);

  assert.equal(rig.step, "trust");
  assert.equal(rig.authority.bundle().length, 2);
  rig.hears(web);
  await rig.goesOn();
  assert.equal(rig.step, "trust");
  assert.deepEqual(rig.rotation.status()?.waiting.map((one) => one.id), ["catalog"]);
  assert.match(rig.rotation.status()!.waiting[0]!.why, /has not acknowledged whom to believe/);

  rig.hears(catalog);
  await rig.goesOn();
  assert.equal(rig.step, "renew");
  assert.deepEqual(rig.asked, ["web", "catalog"]);
  await rig.renews(catalog);
  await rig.goesOn();
  assert.deepEqual(rig.rotation.status()?.waiting.map((one) => one.id), ["web"]);
  assert.equal(rig.rotation.status()?.abortable, true);

  await rig.renews(web);
  await rig.goesOn();
  assert.equal(rig.step, "retire");
  assert.ok(!rig.authority.bundle().includes(oldRoot!));
  assert.equal(rig.rotation.status()?.abortable, false);
  assert.ok(await exists(`${rig.dir}/rotation/old/root.key`), "the old key is there to the last");

  rig.hears(web);
  rig.hears(catalog);
  await rig.goesOn();
  assert.equal(rig.step, "done");
  assert.ok(!await exists(`${rig.dir}/rotation`));
  // The key that is left belongs to the new root: the next intermediate can be made.
  await rig.rotation.start(INTERMEDIATE);
  await rig.run();
  assert.equal(rig.step, "done");
});

for (
  const request of [ROOT, ...(ALL ? [INTERMEDIATE, COMPROMISED] : []), {
    ...COMPROMISED,
    now: true,
  }]
) {
  const what = `${request.kind}${request.compromised ? " (compromised)" : ""}${
    request.now ? ", now" : ""
  }`;
  Deno.test(`Rotation of the ${what} survives a crash before any change of a file`, async () => {
    for (let at = FIRST;; at += STRIDE) {
      await using rig = await Rig.start();
      const [oldRoot] = rig.authority.bundle();
      rig.changes = 0;
      rig.crashAfter = at;
      await rig.rotation.start(request).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
      });
      await rig.run();
      const died = rig.crashed;
      if (died) {
        await rig.boot();
        rig.believes();
        if (rig.rotation.isOver && rig.step !== "done") await rig.rotation.start(request);
        await rig.run();
      }
      assert.equal(rig.step, "done", `after a crash at change ${at}`);
      assert.equal(rig.authority.bundle().length, 1);
      assert.equal(rig.authority.bundle()[0] === oldRoot, request.kind !== "root");
      assert.ok(
        !await exists(`${rig.dir}/rotation`),
        `old keys stay after a crash at change ${at}`,
      );
      assert.equal(rig.revocations.all().length, request.compromised ? 1 : 0);
      await rig.boot(); // what is left is an authority that can be opened
      if (!died) return;
    }
  });
}

for (const until of ["trust", "renew"] as const) {
  Deno.test(`An abort in step ${until} goes back, also over a crash before any change`, async () => {
    for (let at = FIRST;; at += STRIDE) {
      await using rig = await Rig.start();
      const bundle = rig.authority.bundle(), issuer = rig.authority.issuerKey;
      const rootKey = await Deno.readTextFile(`${rig.dir}/root.key`);
      await rig.rotation.start(ROOT);
      if (until === "renew") {
        for (const proxy of rig.proxies) rig.hears(proxy);
        await rig.goesOn();
        await rig.renews(rig.proxies[0]!);
      }
      assert.equal(rig.step, until);
      rig.crashAfter = at;
      await rig.rotation.abort("ann").catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
      });
      await rig.run();
      const died = rig.crashed;
      if (died) {
        await rig.boot();
        rig.believes();
        if (rig.rotation.status()?.abortable) await rig.rotation.abort("ann");
        await rig.run();
      }
      assert.equal(rig.step, "aborted", `after a crash at change ${at}`);
      assert.deepEqual(rig.authority.bundle(), bundle);
      assert.equal(rig.authority.issuerKey, issuer);
      assert.equal(await Deno.readTextFile(`${rig.dir}/root.key`), rootKey);
      assert.ok(!await exists(`${rig.dir}/rotation`));
      if (!died) return;
    }
  });
}

Deno.test("An abort is refused once proxies forget the old root, and after a theft", async () => {
  await using rig = await Rig.start();
  await assert.rejects(rig.rotation.abort("ann"), /There is no rotation to abort/);
  await rig.rotation.start(ROOT);
  for (const proxy of rig.proxies) rig.hears(proxy);
  await rig.goesOn();
  for (const proxy of rig.proxies) await rig.renews(proxy);
  await rig.goesOn();
  assert.equal(rig.step, "retire");
  await assert.rejects(rig.rotation.abort("ann"), /there is no way back/);
  await rig.run();
  await rig.rotation.start(COMPROMISED);
  assert.equal(rig.step, "renew");
  await assert.rejects(rig.rotation.abort("ann"), /would have its thief believed again/);
});

Deno.test("A step is forced past proxies that are away, and never past connected ones", async () => {
  await using rig = await Rig.start();
  const [web, catalog] = rig.proxies as [Proxy, Proxy];
  await rig.rotation.start(ROOT);
  await assert.rejects(rig.rotation.force("ann"), (error: unknown) => {
    assert.ok(error instanceof RotationError);
    assert.match(
      error.message,
      /2 connected proxies are not ready .*sidecar default\/web .*catalog/,
    );
    return true;
  });
  catalog.connected = false;
  rig.hears(web);
  await rig.goesOn();
  assert.equal(rig.step, "trust");
  assert.match(rig.rotation.status()!.hint, /Only proxies that are away are waited for/);
  const left = await rig.rotation.force("ann");
  assert.deepEqual(left.map((one) => one.id), ["catalog"]);
  assert.equal(rig.step, "renew");
  // Back in time it is waited for again.
  catalog.connected = true;
  assert.deepEqual(rig.rotation.status()!.waiting.map((one) => one.id), ["web", "catalog"]);
});

Deno.test("A rotation is refused beside another, and without the root's key", async () => {
  await using rig = await Rig.start();
  await rig.rotation.start(ROOT);
  await assert.rejects(
    rig.rotation.start(ROOT),
    /A rotation of the root is under way \(step trust\)/,
  );
  await rig.rotation.abort("ann");
  for (const proxy of rig.proxies) rig.hears(proxy);
  await rig.goesOn();
  await Deno.remove(`${rig.dir}/root.key`);
  await assert.rejects(rig.rotation.start(INTERMEDIATE), /the key of the root is not in/);
  assert.ok(!await exists(`${rig.dir}/rotation`));
  // A new root needs none of the old one's.
  await rig.rotation.start(ROOT);
  await rig.run();
  assert.equal(rig.step, "done");
});

Deno.test("A root made elsewhere is taken with its chain, and refused when they do not fit", async () => {
  await using rig = await Rig.start();
  await using other = await Rig.start([]);
  const read = (name: string) => Deno.readTextFile(`${other.dir}/${name}`);
  const brought = {
    root: await read("root.pem"),
    chain: await read("intermediate.pem"),
    key: await read("intermediate.key"),
  };
  await assert.rejects(
    rig.rotation.start({ ...ROOT, brought: { ...brought, key: await read("root.key") } }),
    /is not the key of the first certificate/,
  );
  assert.equal(rig.step, undefined);
  await rig.rotation.start({ ...ROOT, brought });
  await rig.run();
  assert.equal(rig.step, "done");
  assert.deepEqual(rig.authority.bundle(), other.authority.bundle());
  // Nobody gave its key, and the old root's must not lie there as if it were that.
  assert.ok(!await exists(`${rig.dir}/root.key`));
});
