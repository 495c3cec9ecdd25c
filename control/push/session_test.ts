/** One proxy's connection: order of messages, silence, floods, and health as others see it. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { type Authority, MemoryTokenStore, Tokens } from "../ca/mod.ts";
import type { MarketApi } from "../market/mod.ts";
import { type FromProxy, REPLACED, type ToProxy } from "../schema/protocol.ts";
import type { Snapshot } from "../schema/snapshot.ts";
import { MemoryStore } from "../store/memory.ts";
import { Nodes, type ProxyNode } from "./nodes.ts";
import type { Publisher } from "./publisher.ts";
import { GREETING_MS, MAX_ASKED, Session, SILENCE_MS } from "./session.ts";
import { Roster } from "./roster.ts";
import { Workloads } from "./workloads.ts";

const WEB = "spiffe://mesh.local/ns/default/sa/web";
const DIGEST = `sha256:${"a".repeat(64)}`;
const HELLO: FromProxy = {
  type: "hello",
  node: { kind: "sidecar", namespace: "default", name: "web" },
  version: null,
  inbound: "127.0.0.1:15001",
  labels: {},
  admin: "http://127.0.0.1:1",
  pid: 1,
};
const KEPT = `sha256:${"1".repeat(64)}`, LOST = `sha256:${"2".repeat(64)}`;
const SNAPSHOT: Snapshot = {
  version: "v1",
  node: { kind: "sidecar", namespace: "default", name: "web" },
  listeners: [{
    name: "https",
    role: "gateway",
    tls: "edge",
    certificates: [
      { name: "default/kept", hostnames: ["*"], chain: "", key: KEPT },
      { name: "default/lost", hostnames: ["*"], chain: "", key: LOST },
    ],
    hosts: [],
  }],
  backends: {},
  modules: [{ digest: DIGEST, bytes: 1, abi: "proxy-wasm" }],
  trust: { domain: "mesh.local", bundle: [] },
};

class Time {
  ms = 1_000_000;
  nowMs = (): number => this.ms;
  monotonicMs = (): number => this.ms;
}

/** `beside`: another session of the same control plane. */
async function setUp(
  identity: string | null = WEB,
  beside?: { readonly nodes: Nodes; readonly workloads: Workloads },
) {
  const clock = new Time();
  const sent: ToProxy[] = [];
  const modules: string[] = [];
  const ends: string[] = [];
  const unknown: string[] = [];
  const blocked = Promise.withResolvers<void>();
  const workloads = beside?.workloads ??
    await Workloads.open(new MemoryStore(), { clock, log: silentLog });
  const nodes = beside?.nodes ?? new Nodes(clock);
  const tokens = new Tokens(new MemoryTokenStore(), { clock });
  const session = new Session(
    { identity, chain: [], notAfterMs: clock.ms + 3_600_000, remote: "10.0.0.7" },
    {
      send: (message) => sent.push(message),
      sendModule: (digest) => {
        modules.push(digest);
        return blocked.promise; // the proxy does not read
      },
      end: () => ends.push("end"),
      destroy: (reason) => ends.push(reason),
    },
    {
      // Not asked for anything in these tests.
      authority: {} as Authority,
      roster: await Roster.open(new MemoryStore(), { clock, log: silentLog }),
      renewalFault: () => Promise.resolve(null),
      revocations: { has: () => false, spec: undefined, onChange() {} },
      tokens,
      attestor: null,
      audit: { record() {} },
      nodes,
      workloads,
      publisher: {
        publishTo: (node: ProxyNode) =>
          node.link.delivery.offer({ snapshot: SNAPSHOT, revision: 1 }),
      } as unknown as Publisher,
      vault: { get: (name) => Promise.resolve(name === KEPT ? "the key" : null) },
      keySets: { unknownKey: (uri) => void unknown.push(uri) },
      market: { module: () => Promise.resolve(Uint8Array.of(1)) } as unknown as MarketApi,
      clock,
      log: silentLog,
    },
  );
  const say = (message: unknown): void =>
    session.json(new TextEncoder().encode(JSON.stringify(message)));
  const codes = (): string[] => sent.flatMap((one) => one.type === "error" ? [one.code] : []);
  return {
    clock,
    session,
    sent,
    modules,
    ends,
    say,
    codes,
    nodes,
    workloads,
    blocked,
    unknown,
    tokens,
  };
}

const report = (appHealthy: boolean, more = {}): FromProxy => ({
  type: "report",
  report: {
    version: "v1",
    ready: true,
    uptimeMs: 1,
    rssBytes: 1,
    certExpiresMs: null,
    appHealthy,
    routes: [],
    filters: [],
    ...more,
  },
});

Deno.test("Session hears only join from a stranger, and only once what is refused", async () => {
  const { say, codes, ends, sent } = await setUp(null);
  say(HELLO);
  assert.deepEqual(codes(), ["peer.no_certificate"]);
  say({ type: "join", token: "x", csr: "y" });
  assert.equal(sent.length, 1, "it is over after the first refusal");
  assert.deepEqual(ends, ["end"]);
});

Deno.test("Session spends no join token on a certificate that could not be issued", async () => {
  const { say, codes, tokens, ends } = await setUp(null);
  const token = await tokens.create(WEB);
  say({ type: "join", token, csr: "x" }); // the authority of these tests issues nothing
  while (ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(codes(), ["csr.failed"]);
  await new Promise((resolve) => setTimeout(resolve, 0)); // what it does after its answer
  assert.equal(await tokens.redeem(token), WEB);
});

Deno.test("Session ends a connection that does not greet, and one that falls silent", async () => {
  const mute = await setUp();
  mute.clock.ms += GREETING_MS;
  mute.session.sweep();
  assert.deepEqual(mute.ends, []);
  mute.clock.ms += 1;
  mute.session.sweep();
  assert.deepEqual(mute.codes(), ["protocol.silent"]);

  const silent = await setUp();
  silent.say(HELLO);
  silent.clock.ms += SILENCE_MS;
  silent.say(report(true));
  silent.clock.ms += SILENCE_MS;
  silent.session.sweep();
  assert.deepEqual(silent.ends, []);
  silent.clock.ms += 1;
  silent.session.sweep();
  assert.match(silent.ends[0]!, /Nothing was heard/);
});

Deno.test("Session ends when its certificate does", async () => {
  const { say, session, clock, codes } = await setUp();
  say(HELLO);
  clock.ms += 3_600_000;
  say(report(true));
  session.sweep();
  assert.deepEqual(codes(), []);
  clock.ms += 1;
  session.sweep();
  assert.deepEqual(codes(), ["peer.expired"]);
});

Deno.test("Session sends one module at a time and ends a flood of requests", async () => {
  const { say, modules, codes } = await setUp();
  say(HELLO);
  for (let i = 0; i < MAX_ASKED; i++) say({ type: "module", digest: DIGEST });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(codes(), []);
  assert.equal(modules.length, 1, "the others wait until the first has left");
  for (let i = 0; i < 2; i++) say({ type: "module", digest: DIGEST });
  assert.deepEqual(codes(), ["module.too_many"]);
});

Deno.test("Session gives a proxy the keys of its own snapshot and no other", async () => {
  const { say, sent, codes, ends } = await setUp();
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  say(HELLO);
  say({ type: "key", name: KEPT });
  await turn();
  assert.deepEqual(sent.at(-1), { type: "key", name: KEPT, pem: "the key" });
  say({ type: "key", name: LOST });
  await turn();
  assert.deepEqual(codes(), ["key.missing"]);
  assert.deepEqual(ends, []);
  say({ type: "key", name: `sha256:${"3".repeat(64)}` });
  await turn();
  assert.deepEqual(codes(), ["key.missing", "key.not_yours"]);
  assert.deepEqual(ends, ["end"]);
});

Deno.test("Session gives others its endpoint while it has a configuration and its application answers", async () => {
  const { say, workloads, session } = await setUp();
  const healthy = (): boolean | undefined => workloads.all()[0]?.healthy;
  say(HELLO);
  assert.equal(healthy(), false);
  say({ type: "nack", nonce: "1", version: "v1", reason: "no" });
  assert.equal(healthy(), false, "a refused configuration is none");
  session.closed("");
  const again = await setUp();
  again.say(HELLO);
  again.say({ type: "ack", nonce: "1", version: "v1" });
  assert.equal(again.workloads.all()[0]?.healthy, true);
  again.say(report(false));
  assert.equal(again.workloads.all()[0]?.healthy, false);
  again.say(report(true));
  assert.equal(again.workloads.all()[0]?.healthy, true);
});

Deno.test("Session remembers a workload whose connection broke and forgets one that said bye", async () => {
  const broken = await setUp();
  broken.say(HELLO);
  broken.session.closed("reset");
  assert.deepEqual(broken.workloads.all().map((one) => one.connected), [false]);
  assert.equal(broken.nodes.all()[0]?.state, "away");

  const orderly = await setUp();
  orderly.say(HELLO);
  orderly.say({ type: "bye" });
  orderly.session.closed("");
  assert.deepEqual(orderly.workloads.all(), []);
  assert.deepEqual(orderly.nodes.all(), []);
});

Deno.test("Session keeps a place healthy while the next process there gets ready, and hears no farewell of the former", async () => {
  const old = await setUp();
  old.say({ ...HELLO, startedMs: 1 });
  old.say({ type: "ack", nonce: "1", version: "v1" });
  const endpoint = (): [number, boolean | undefined] => {
    const all = old.workloads.all();
    return [all.length, all[0]?.healthy];
  };
  const next = await setUp(WEB, old);
  next.say({ ...HELLO, startedMs: 2 });
  assert.deepEqual(endpoint(), [1, true], "the former one still serves");
  assert.deepEqual(old.codes(), [REPLACED]);
  next.say(report(false));
  assert.deepEqual(endpoint(), [1, true], "it has no configuration yet, and no say");
  old.say({ type: "bye" });
  old.session.closed("");
  assert.deepEqual(endpoint(), [1, true]);
  next.say({ type: "ack", nonce: "1", version: "v1" });
  assert.deepEqual(endpoint(), [1, false], "now its report counts");
  next.say({ type: "bye" });
  assert.deepEqual(endpoint(), [0, undefined]);
});

Deno.test("Session refuses an older process while a younger one speaks for the same place", async () => {
  const young = await setUp();
  young.say({ ...HELLO, startedMs: 2 });
  const old = await setUp(WEB, young);
  old.say({ ...HELLO, startedMs: 1 });
  assert.deepEqual(old.codes(), [REPLACED]);
  assert.deepEqual(young.codes(), []);
  young.session.closed("reset");
  const back = await setUp(WEB, young);
  back.say({ ...HELLO, startedMs: 1 });
  assert.deepEqual(back.codes(), [], "the younger one has gone");
});

Deno.test("Session passes on the key sets in which a proxy missed a key", async () => {
  const { say, unknown, codes } = await setUp();
  say(HELLO);
  say(report(true, { unknownKeys: ["https://a.example/keys"] }));
  say(report(true));
  assert.deepEqual(unknown, ["https://a.example/keys"]);
  say(report(true, { unknownKeys: new Array(65).fill("https://a") }));
  assert.deepEqual(codes(), ["protocol.bad_message"]);
});
