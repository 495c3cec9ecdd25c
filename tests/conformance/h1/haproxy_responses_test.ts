/**
 * Differential, live, the way down: the answer that a Denim process accepts and forwards, haproxy accepts too
 * and forwards as the same answer; and what Denim puts on the wire, Node's llhttp reads as that answer, and so
 * does haproxy. A difference would be an answer split or smuggled past one of two proxies in a row.
 */
import assert from "node:assert/strict";
import { connect, createServer, type NetConnectOpts } from "node:net";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { damaged } from "../../property/h1_mutations.ts";
import { Haproxy } from "../../support/haproxy.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { RESPONSES } from "./cases.ts";
import { NodeOracle } from "./node_oracle.ts";
import { NodeOrigins } from "./node_origins.ts";
import { latin1 } from "./wire.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = { seed, numRuns: Number(Deno.env.get("RUNS") ?? 250) };
/** Where the cases stop being drawn, so that a slow machine still ends in time. */
const BUDGET_MS = Number(Deno.env.get("BUDGET_MS") ?? 8_000);
const CLIENT_MS = 10_000;
const TRIES = 4;

/** Says what it is told to on every connection, once the request's head is there, then ends. */
class RawOrigin implements AsyncDisposable {
  raw = "";
  readonly #server = createServer((socket) => {
    let head = "", answered = false;
    socket.on("error", () => {});
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      head += text;
      if (answered || !head.includes("\r\n\r\n")) return;
      answered = true;
      socket.end(latin1(this.raw));
    });
  });
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** What one proxy answers, byte by byte. */
function answerOf(where: NetConnectOpts, method: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(where);
    let text = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The proxy kept the connection open after ${JSON.stringify(text)}`));
    }, CLIENT_MS);
    socket.setEncoding("latin1");
    socket.on("data", (more: string) => text += more);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.write(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  });
}

interface Answer {
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: string;
  readonly ended: boolean;
}

/** Fields of a hop, which each proxy writes anew, drops or adds. */
const OF_THE_HOP = new Set([
  "date",
  "expect", // a field of requests, which we drop from answers
  "http2-settings",
  "keep-alive",
  "proxy",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "upgrade",
  "via",
]);

/** What an answer means; null: llhttp does not take it for one. */
async function meaning(oracle: NodeOracle, raw: string, method: string): Promise<Answer | null> {
  const read = await oracle.ask({ role: "response", raw, method, end: true });
  if (typeof read !== "object" || read === null || !("fields" in read)) return null;
  const answer = read as Answer;
  const fields = answer.fields.filter((_, i) => !OF_THE_HOP.has(answer.fields[i - (i % 2)]!));
  return { ...answer, fields };
}

/** The fields that `raw` names in Connection, which we drop and haproxy leaves to the next hop. */
function named(raw: string): Set<string> {
  const names = new Set<string>();
  for (const [, value] of raw.matchAll(/\r\nconnection:([^\r]*)/gi)) {
    for (const one of value!.split(",")) names.add(one.trim().toLowerCase());
  }
  return names;
}

function without(answer: Answer, names: ReadonlySet<string>): Answer {
  const { fields } = answer;
  return { ...answer, fields: fields.filter((_, i) => !names.has(fields[i - (i % 2)]!)) };
}

const version = await Haproxy.version();
const node = await NodeOrigins.methods();
if (version === null || node === null) {
  const lacking = version === null ? "haproxy" : "node";
  console.log(
    `skipped: no "${lacking}" on the PATH to compare with (tests/conformance/h1/haproxy_responses_test.ts)`,
  );
}

Deno.test({
  name: "haproxy and Node's parser read the answers Denim forwards as the same answers",
  ignore: version === null || node === null,
  async fn() {
    await using origin = await new RawOrigin().start();
    await using oracle = new NodeOracle();
    await using haproxy = await Haproxy.start(origin.port);
    await using denim = await StandaloneProxy.start([
      gateway(),
      service("origin", `127.0.0.1:${origin.port}`),
      route("all", { backendRefs: [{ name: "origin", port: 80 }] }),
      policy("origin", {
        retry: { attempts: 0 },
        outlierDetection: { consecutive5xx: 1_000_000 },
        circuitBreaker: { consecutiveFailures: 1_000_000 },
      }),
    ]);
    const { hostname, port } = new URL(denim.url());
    const toDenim = { host: hostname, port: Number(port), noDelay: true };
    const toHaproxy = { path: haproxy.socket };
    /** haproxy sometimes resets a connection whose answer came quickly; what it refuses it refuses again. */
    const byHaproxy = async (method: string, ours: Answer): Promise<Answer | null> => {
      for (let tries = 1;; tries++) {
        const theirs = await meaning(oracle, await answerOf(toHaproxy, method), method);
        if ((theirs !== null && theirs.status === ours.status) || tries === TRIES) return theirs;
      }
    };
    let compared = 0;

    const check = async (raw: string, method: string): Promise<void> => {
      origin.raw = raw;
      const forwarded = await answerOf(toDenim, method);
      if (forwarded.includes("\r\ndenim-fault: ")) return;
      const ours = await meaning(oracle, forwarded, method);
      assert.ok(ours !== null, `llhttp refuses what Denim forwards: ${JSON.stringify(forwarded)}`);
      if (!ours.ended) {
        // haproxy is laxer with chunks (bare LF, a space after the size), so only what we wrote counts:
        // nobody may take it for whole. 502 is what haproxy says of an answer without a head.
        origin.raw = forwarded;
        const again = await byHaproxy(method, ours);
        const whole = again !== null && again.ended && again.status !== 502;
        return assert.ok(!whole, `haproxy takes for whole what Denim cut: ${JSON.stringify(raw)}`);
      }
      const theirs = await byHaproxy(method, ours);
      assert.ok(theirs !== null, `haproxy refuses what Denim forwards: ${JSON.stringify(raw)}`);
      const hop = named(raw);
      assert.deepEqual(without(ours, hop), without(theirs, hop), JSON.stringify(raw));
      // The bytes we put on the wire, read by haproxy as a proxy before us would.
      origin.raw = forwarded;
      const again = await byHaproxy(method, ours);
      assert.deepEqual(again, ours, JSON.stringify(forwarded));
      compared++;
    };

    const startedMs = performance.now();
    for (const row of RESPONSES) await check(row.raw, row.method === "HEAD" ? "HEAD" : "GET");
    const rows = RESPONSES.map((row) => ({ raw: row.raw, passes: row.fault === undefined }));
    await fc.assert(
      fc.asyncProperty(damaged(rows, 1), fc.constantFrom("GET", "GET", "HEAD"), check),
      {
        ...RUNS,
        interruptAfterTimeLimit: Math.max(1000, BUDGET_MS - (performance.now() - startedMs)),
        markInterruptAsFailure: false,
      },
    );
    console.log(`compared ${compared} answers with haproxy ${version} (SEED=${seed})`);
    assert.ok(compared > 30, "hardly anything was accepted: the comparison proves nothing");
  },
});
