/** Runs the strictness table against the codec: whole, and byte by byte. */
import assert from "node:assert/strict";
import { Fields } from "../../../core/fields.ts";
import { bytesOf, clientRig, type ServerRig, serverRig, whenWhole } from "../../../proxy/h1/rig.ts";
import { type RequestCase, REQUESTS, type ResponseCase, RESPONSES } from "./cases.ts";

const ANSWER = "HTTP/1.1 204 No Content\r\n";

function feed(receive: (bytes: Uint8Array) => void, raw: string, size: number): void {
  const bytes = bytesOf(raw);
  for (let at = 0; at < bytes.length; at += size) receive(bytes.subarray(at, at + size));
}

/** Answers each request with 204 once it is whole. */
function answeringRig(): ServerRig {
  return serverRig(({ stream, sink }, _head, end) => {
    const answer = (): void => stream.head({ status: 204, fields: new Fields() }, true);
    if (end) return answer();
    whenWhole(sink, answer);
  });
}

function runRequest(row: RequestCase, size: number): void {
  const rig = answeringRig();
  feed((bytes) => rig.server.receive(bytes), row.raw, size);
  const { wire, exchanges } = rig;
  const whole = exchanges.filter(({ sink }) => sink.fault === null);
  const seen = whole.map(({ sink }) => `${sink.heads[0]!.method} ${sink.heads[0]!.path}`);
  assert.deepEqual(seen, row.accepted ?? []);
  assert.equal(wire.written.split(ANSWER).length - 1, seen.length);
  if (row.refused !== undefined) {
    const { status, fault } = row.refused;
    const last = wire.written.slice(wire.written.search(/HTTP\/1\.1 [45]/));
    assert.equal(last.slice(9, 12), String(status));
    assert.match(last, new RegExp(`\\r\\ndenim-fault: ${fault}\\r\\n`));
    assert.match(last, /\r\nconnection: close\r\n/);
    assert.equal(wire.ended, true);
  } else assert.equal(wire.written.includes("denim-fault"), false);
  for (const { sink } of exchanges) assert.equal(sink.events().at(-1), "closed");
  const head = whole[0]?.sink.heads[0];
  if (row.body !== undefined) {
    const data = whole[0]!.sink.events().filter((line) => line.startsWith("data "));
    assert.equal(data.map((line) => line.slice(5)).join(""), row.body);
  }
  if (row.authority !== undefined) assert.equal(head!.authority, row.authority);
  if (row.fields !== undefined) assert.deepEqual(head!.fields.lines, row.fields);
  for (const name of row.absent ?? []) assert.equal(head!.fields.has(name), false, name);
}

function runResponse(row: ResponseCase, size: number): void {
  const { client, wire, open } = clientRig();
  const { stream, sink } = open();
  const method = row.method ?? "GET";
  stream.head({ method, scheme: "http", authority: "a", path: "/", fields: new Fields() }, true);
  feed((bytes) => client.receive(bytes), row.raw, size);
  if (row.eof) client.eof();
  assert.equal(sink.events().at(-1), "closed");
  assert.equal(sink.fault?.code, row.fault);
  if (row.fault !== undefined) return assert.equal(wire.destroyed, true);
  const head = sink.heads[0]!;
  assert.equal(head.status, row.status);
  const data = sink.events().filter((line) => line.startsWith("data "));
  assert.equal(data.map((line) => line.slice(5)).join(""), row.body);
  assert.equal(client.slots === 1, row.reusable);
  if (row.fields !== undefined) assert.deepEqual(head.fields.lines, row.fields);
  for (const name of row.absent ?? []) assert.equal(head.fields.has(name), false, name);
}

for (const row of REQUESTS) {
  Deno.test(`request: ${row.name}`, () => {
    for (const size of [row.raw.length, 1, 7]) runRequest(row, size);
  });
}

for (const row of RESPONSES) {
  Deno.test(`response: ${row.name}`, () => {
    for (const size of [Math.max(1, row.raw.length), 1, 7]) runResponse(row, size);
  });
}

Deno.test("the table names each case once", () => {
  const names = [...REQUESTS.map((r) => `q ${r.name}`), ...RESPONSES.map((r) => `a ${r.name}`)];
  assert.equal(new Set(names).size, names.length);
});
