/** What proxies send is checked field by field and has limits. */
import assert from "node:assert/strict";
import { MESSAGE_LIMITS, readMessage } from "./messages.ts";

const read = (value: unknown) => readMessage(new TextEncoder().encode(JSON.stringify(value)));
const HELLO = {
  type: "hello",
  node: { kind: "sidecar", namespace: "default", name: "web" },
  version: null,
  inbound: "10.0.0.1:15001",
  labels: { version: "v1" },
  admin: "http://127.0.0.1:1",
  pid: 7,
};
const FILTER = {
  name: "default/a",
  digest: "sha256:0",
  state: "running",
  calls: 1,
  fuel: 1,
  us: 1,
  memoryBytes: 1,
  traps: 0,
  lastTrap: "",
};
const report = (filters: unknown[]) => ({
  type: "report",
  report: {
    version: null,
    ready: true,
    uptimeMs: 1,
    rssBytes: 1,
    certExpiresMs: null,
    appHealthy: true,
    routes: [],
    filters,
  },
});

Deno.test("readMessage takes good messages, and leaves out what it does not know", () => {
  assert.deepEqual(read({ ...HELLO, later: 1 }), HELLO);
  assert.deepEqual(read({ type: "bye" }), { type: "bye" });
});

Deno.test("readMessage refuses wrong ones and says where", () => {
  const bad: unknown[] = [
    null,
    [],
    { type: "hullo" },
    { ...HELLO, node: { ...HELLO.node, kind: "spy" } },
    { ...HELLO, inbound: "no port" },
    { ...HELLO, labels: { a: 1 } },
    { ...HELLO, pid: -1 },
    { type: "module", digest: "sha256:../../etc/passwd" },
    { type: "join", token: "x".repeat(MESSAGE_LIMITS.tokenChars + 1), csr: "" },
    { type: "csr", csr: "x".repeat(MESSAGE_LIMITS.csrChars + 1) },
    report([{ ...FILTER, calls: "1" }]),
    report(Array.from({ length: MESSAGE_LIMITS.filters + 1 }, () => FILTER)),
  ];
  for (const one of bad) {
    assert.equal(typeof read(one), "string", JSON.stringify(one)?.slice(0, 80));
  }
  assert.match(String(read({ ...HELLO, pid: "x" })), /at "pid"/);
  assert.equal(typeof readMessage(Uint8Array.of(0xff, 0xfe)), "string");
});

Deno.test("readMessage limits labels and cuts long reasons instead of refusing them", () => {
  const labels = Object.fromEntries(
    Array.from({ length: MESSAGE_LIMITS.labels + 1 }, (_, i) => [`l${i}`, ""]),
  );
  assert.equal(typeof read({ ...HELLO, labels }), "string");
  const nack = read({ type: "nack", nonce: "1", version: "v", reason: "r".repeat(10_000) });
  assert.ok(typeof nack === "object" && nack.type === "nack");
  assert.equal(nack.reason.length, MESSAGE_LIMITS.textChars);
});
