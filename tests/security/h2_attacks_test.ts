/**
 * Attacks on HTTP/2 against running proxies: a gateway in plaintext, and a sidecar over mTLS by a workload
 * that belongs to the mesh. Whatever one connection does, requests on others are answered meanwhile, the
 * attack is ended with its reason, and the proxy's memory stays where it was.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { TestDomain } from "../support/ca.ts";
import { HEADERS, RawH2 } from "../support/h2.ts";
import { until } from "../support/mesh.ts";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";
import { ATTACKS, type H2Attack } from "./h2_attacks.ts";
import { Sidecar } from "./sidecar.ts";

/** What all attacks together may leave behind. Each but the smallest sends, or asks for, far more. */
const GROWN_MIB = 180;
/** `:status: 200` as a header block has it first (RFC 7541 appendix A). */
const OK = 0x88;
const LIMIT_MS = 30_000;

/** The edge's limit in the mesh too; and no leak: a slow machine must not make a flood a trickle. */
const FLAGS = ["--limit", "h2-glitches=500", "--limit", "h2-glitches-per-second=1"];

/** A place to attack: how to connect to it, and the process behind it. */
interface Victim {
  readonly pid: number;
  readonly admin: string;
  connect(): Promise<RawH2>;
}

const rssMib = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))![1]) / 1024;

/** Connections it has ended for this error. */
async function endedFor(error: string, { admin }: Victim): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith("denim_h2_connection_errors_total{")) continue;
    if (line.includes(`error="${error}"`)) sum += Number(line.slice(line.lastIndexOf(" ")));
  }
  return sum;
}

/** Sends the attack, as far as it is taken. */
async function run(client: RawH2, attack: H2Attack): Promise<void> {
  const { socket } = client;
  if (attack.deaf) socket.pause();
  let closed = false;
  void client.closed.then(() => closed = true);
  let room = true;
  socket.on("drain", () => room = true);
  for (let n = 0; n < attack.batches && !closed; n++) {
    room = socket.write(attack.batch(n));
    // Who waits here for ever is one that nothing more is taken of, which is well.
    for (let turns = 0; !room && !closed && turns < 100; turns++) {
      await new Promise((turn) => setTimeout(turn, 1));
    }
    await new Promise((turn) => setImmediate(turn));
  }
}

/** Asks on its own connection, again and again, until told to stop; every request has to be answered. */
class Neighbour {
  answered = 0;
  #stopped = false;
  readonly #client: RawH2;
  readonly #asking: Promise<void>;

  constructor(client: RawH2) {
    this.#client = client;
    this.#asking = this.#ask();
    this.#asking.catch(() => {}); // stop() tells
  }
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#asking;
    this.#client.socket.destroy();
    return this.answered;
  }
  async #ask(): Promise<void> {
    for (let id = 1; !this.#stopped; id += 2) {
      const { payload, type } = (await this.#client.get(id, "/", "victim").over(id))[0] ??
        assert.fail("the neighbour's connection was closed");
      const answered = type === HEADERS && payload[0] === OK;
      assert.ok(answered, `The neighbour got ${new TextDecoder("latin1").decode(payload)}`);
      this.answered++;
    }
  }
}

async function attack(victim: Victim, one: H2Attack): Promise<void> {
  const before = one.ends === null ? 0 : await endedFor(one.ends, victim);
  const neighbour = new Neighbour(await victim.connect());
  const client = await victim.connect();
  try {
    await run(client, one);
    if (one.ends !== null) {
      const ended = async () => await endedFor(one.ends!, victim) > before || null;
      await until(ended, LIMIT_MS, () => "The attacker's connection was not ended");
    }
    await answers(await victim.connect());
  } finally {
    client.socket.destroy();
    const answered = await neighbour.stop();
    assert.ok(answered > 0, "nobody else was answered meanwhile");
  }
}

/** A connection made now is served. */
async function answers(client: RawH2): Promise<void> {
  const [head] = await client.get(1, "/", "victim").over(1);
  client.socket.destroy();
  assert.equal(head?.payload[0], OK, "a new connection is not served");
}

async function all(victim: Victim, t: Deno.TestContext): Promise<void> {
  // The first connections make the process what it is under any load.
  for (let n = 0; n < 5; n++) await answers(await victim.connect());
  const before = rssMib(victim.pid);
  for (const one of ATTACKS) await t.step(one.name, () => attack(victim, one));
  const grown = rssMib(victim.pid) - before;
  console.log(`memory grew by ${grown.toFixed(0)} MiB over ${ATTACKS.length} attacks`);
  assert.ok(grown < GROWN_MIB, `${grown} MiB are held after the attacks`);
}

Deno.test("HTTP/2 attacks on a gateway hurt nobody else", async (t) => {
  await using origin = await Origin.start({
    answer: ({ path }) => ({ body: path === "/big" ? "b".repeat(8 * 1024 * 1024) : "ok" }),
  });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("web", origin.address),
    route("web", { backendRefs: [{ name: "web", port: 80 }] }),
  ], FLAGS);
  const place = proxy.ready.listeners["http"]!;
  const { pid, admin } = proxy.ready;
  await all({ pid, admin, connect: () => Promise.resolve(new RawH2(place)) }, t);
});

Deno.test("HTTP/2 attacks by a workload of the mesh on a sidecar hurt nobody else", async (t) => {
  const domain = new TestDomain();
  await using sidecar = await Sidecar.start(domain, { flags: FLAGS });
  const { chainPem, keyPem } = domain.issue("low");
  const dial = (): Promise<RawH2> =>
    new Promise((resolve, reject) => {
      const options = { cert: chainPem, key: keyPem, rejectUnauthorized: false };
      const socket = connect({
        ...options,
        host: "127.0.0.1",
        port: sidecar.port(),
        ALPNProtocols: ["h2"],
      });
      socket.once("secureConnect", () => resolve(new RawH2(socket)));
      socket.once("error", reject);
    });
  const { pid, admin } = sidecar;
  await all({ pid, admin, connect: dial }, t);
});
