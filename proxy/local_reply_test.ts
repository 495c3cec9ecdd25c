/** What a gRPC client gets where the proxy answers, on a real exchange; plain HTTP is in exchange_test.ts. */
import assert from "node:assert/strict";
import { FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import type { Filter } from "../core/filter.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import { bytes, response, rig } from "./testing.ts";

function call(): RequestHead {
  const fields = new Fields(["content-type", "application/grpc", "te", "trailers"]);
  return { method: "POST", scheme: "http", authority: "a", path: "/pkg.Svc/Get", fields };
}

function grpcHead(): ResponseHead {
  return { status: 200, fields: new Fields(["content-type", "application/grpc+proto"]) };
}

Deno.test("A fault is trailers-only to a gRPC client, with the mapped status and a message", () => {
  const cases = [
    ["upstream.connect", "14"],
    ["upstream.reset", "14"],
    ["timeout.backend", "4"],
    ["timeout.deadline", "4"],
    ["route.none", "12"],
    ["route.no_backend", "14"],
    ["proxy.internal", "2"],
  ] as const;
  for (const [code, status] of cases) {
    const { x, down } = rig([]);
    x.head(call(), true);
    x.fail(FAULTS[code]);
    assert.deepEqual(down.log, ["head 200 end"], code);
    const { fields } = down.last!;
    assert.equal(fields.get("content-type"), "application/grpc");
    assert.equal(fields.get("grpc-status"), status, code);
    assert.equal(fields.get("denim-fault"), code);
    assert.ok(fields.get("grpc-message")!.endsWith(`(${code})`));
    assert.ok(!fields.has("content-length"));
  }
});

Deno.test("A filter's own reply is one of gRPC too, and a status it chose stays", () => {
  const deny = (fields: Fields): Filter => ({
    onRequestHead: (c) => c.respond(403, fields, bytes("not\nyours\n")),
  });
  const { x, down } = rig([deny(new Fields(["content-type", "text/plain"]))]);
  x.head(call(), true);
  assert.deepEqual(down.log, ["head 200 end"]);
  assert.equal(down.last!.fields.get("grpc-status"), "7");
  assert.equal(down.last!.fields.get("grpc-message"), "not%0Ayours");
  const own = rig([deny(new Fields(["grpc-status", "16"]))]);
  own.x.head(call(), true);
  assert.equal(own.down.last!.fields.get("grpc-status"), "16");
});

Deno.test("A gRPC response that has begun ends with a status when it cannot go on", () => {
  const { x, down, tries } = rig([]);
  x.head(call(), false);
  tries[0]!.into.head(grpcHead(), false);
  tries[0]!.into.data(bytes("one"), false);
  x.fail(FAULTS["timeout.deadline"]);
  assert.deepEqual(down.log.slice(0, 2), ["head 200", "data one"]);
  assert.match(
    down.log[2]!,
    /^trailers grpc-status,4,grpc-message,The deadline .*timeout\.deadline$/,
  );
  assert.equal(
    tries[0]!.up.log.at(-1),
    "cancel timeout.deadline",
    "the upstream hears of it at once",
  );
  tries[0]!.into.data(bytes("late"), true);
  assert.equal(down.log.length, 3);
});

Deno.test("A response that has begun is cut when it is no gRPC or has said its length", () => {
  for (const head of [response(200), grpcHead()]) {
    const { x, down, tries } = rig([]);
    x.head(call(), true);
    if (head.fields.size > 0) head.fields.append("content-length", "9");
    tries[0]!.into.head(head, false);
    tries[0]!.into.abort(FAULTS["upstream.reset"]);
    assert.deepEqual(down.log, ["head 200", "abort upstream.reset"]);
  }
});

Deno.test("The fields a response ended with are kept for who counts it", () => {
  const { x, tries } = rig([]);
  x.head(call(), true);
  const head = grpcHead();
  head.fields.append("grpc-status", "5");
  tries[0]!.into.head(head, true);
  assert.equal(x.ending!.get("grpc-status"), "5");
});
