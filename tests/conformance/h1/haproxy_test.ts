/**
 * Differential, live: what a Denim process accepts and forwards, haproxy accepts too and forwards as the
 * same requests; and what Denim puts on the wire, Node's llhttp and haproxy read as those very requests.
 * A difference would be a request smuggled past one of two proxies in a row.
 */
import assert from "node:assert/strict";
import { connect, type NetConnectOpts } from "node:net";
import fc from "fast-check";
import { Haproxy } from "../../support/haproxy.ts";
import { gateway, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { damaged } from "../../property/h1_mutations.ts";
import { REQUESTS } from "./cases.ts";
import { differences, meaning, type Seen, whole } from "./forwarded.ts";
import { NodeOrigins } from "./node_origins.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = { seed, numRuns: Number(Deno.env.get("RUNS") ?? 400) };
/** Where the cases stop being drawn, so that a slow machine still ends in time. */
const BUDGET_MS = Number(Deno.env.get("BUDGET_MS") ?? 12_000);
const CLIENT_MS = 10_000;
const TRIES = 4;

/** Sends raw latin-1, then the end; resolves with what came back when the other side has closed. */
function send(where: NetConnectOpts, raw: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(where);
    let text = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The proxy kept the connection open after ${JSON.stringify(raw)}`));
    }, CLIENT_MS);
    socket.on("data", (bytes: Uint8Array) => text += new TextDecoder("latin1").decode(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.end(Uint8Array.from(raw, (c) => c.charCodeAt(0)));
  });
}

const version = await Haproxy.version();
const node = await NodeOrigins.methods();
if (version === null || node === null) {
  const lacking = version === null ? "haproxy" : "node";
  console.log(
    `skipped: no "${lacking}" on the PATH to compare with (tests/conformance/h1/haproxy_test.ts)`,
  );
}

Deno.test({
  name: "haproxy and Node's parser read what Denim forwards as the same requests",
  ignore: version === null || node === null,
  async fn() {
    const methods = node!;
    await using origins = await NodeOrigins.start();
    const [denimOrigin, haproxyOrigin] = origins.ports;
    await using haproxy = await Haproxy.start(haproxyOrigin!);
    await using denim = await StandaloneProxy.start([
      gateway(),
      service("origin", `127.0.0.1:${denimOrigin}`),
      route("all", { backendRefs: [{ name: "origin", port: 80 }] }),
    ]);
    const { hostname, port } = new URL(denim.url());
    const toDenim = { host: hostname, port: Number(port), noDelay: true };
    const toHaproxy = { path: haproxy.socket };
    /** haproxy sometimes resets a connection whose answer came quickly; what it refuses it refuses again. */
    const byHaproxy = async (raw: string, want: number): Promise<Seen[] | string> => {
      for (let tries = 1;; tries++) {
        await send(toHaproxy, raw);
        const seen = whole(await origins.take(1), methods);
        if (typeof seen === "string" || seen.length >= want || tries === TRIES) return seen;
      }
    };

    let compared = 0, requests = 0;
    const differing = new Map<string, number>();
    const check = async (raw: string): Promise<void> => {
      const answer = await send(toDenim, raw);
      const connections = await origins.take(0);
      const ours = whole(connections, methods);
      if (typeof ours === "string") {
        return assert.ok(!ours.startsWith("HPE"), `Node refuses what Denim forwards: ${ours}`);
      }
      if (ours.length === 0) return;
      // Each request that reached the origin was answered to this client, and none that did not.
      assert.equal(answer.split("\r\nx-nth: ").length - 1, ours.length, answer);
      const theirs = await byHaproxy(raw, ours.length);
      // What haproxy forwards and Node refuses (framing fields among trailers, say) is between those two.
      if (typeof theirs !== "string") {
        for (const reason of differences(raw, ours, theirs)) {
          differing.set(reason, (differing.get(reason) ?? 0) + 1);
        }
      }
      // The bytes we put on the wire, read by haproxy as an upstream proxy would.
      for (const { raw: forwarded, requests: sent } of connections) {
        const meant = sent.flatMap((one) => "error" in one || !one.ended ? [] : [meaning(one)]);
        const again = await byHaproxy(forwarded, meant.length);
        assert.deepEqual(again, meant, forwarded);
      }
      compared++;
      requests += ours.length;
    };

    const startedMs = performance.now();
    for (const row of REQUESTS) await check(row.raw);
    const rows = REQUESTS.map((row) => ({ raw: row.raw, passes: row.refused === undefined }));
    await fc.assert(fc.asyncProperty(damaged(rows, 3), check), {
      ...RUNS,
      interruptAfterTimeLimit: Math.max(1000, BUDGET_MS - (performance.now() - startedMs)),
      markInterruptAsFailure: false,
    });
    console.log(
      `compared ${compared} streams, ${requests} requests with haproxy ${version} (SEED=${seed})`,
    );
    for (const [reason, count] of differing) console.log(`differs ${count} times: ${reason}`);
    assert.ok(compared > 50, "hardly anything was accepted: the comparison proves nothing");
  },
});
