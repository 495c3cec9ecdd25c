import assert from "node:assert/strict";
import { Fields } from "./fields.ts";
import {
  countedStatus,
  grpcMessage,
  grpcOfHttp,
  grpcStatus,
  grpcTimeout,
  grpcTimeoutMs,
  httpOfGrpc,
  isGrpc,
  MESSAGE_BYTES,
} from "./grpc.ts";

Deno.test("gRPC is told by its content type, which gRPC-Web only begins like", () => {
  const typed = (type: string) => isGrpc(new Fields(["content-type", type]));
  for (const type of ["application/grpc", "application/grpc+proto", "application/grpc;charset=x"]) {
    assert.ok(typed(type), type);
  }
  for (const type of ["application/grpc-web", "application/grpcx", "application/json", ""]) {
    assert.ok(!typed(type), type);
  }
  assert.ok(!isGrpc(new Fields()));
});

Deno.test("gRPC statuses map to HTTP as google.rpc.Code says, and back as gRPC clients do it", () => {
  assert.deepEqual([0, 1, 4, 5, 8, 12, 14, 16].map(httpOfGrpc), [
    200,
    499,
    504,
    404,
    429,
    501,
    503,
    401,
  ]);
  assert.equal(httpOfGrpc(77), 500);
  assert.deepEqual(
    [400, 401, 403, 404, 429, 502, 503, 504, 200, 302, 418, 500].map(grpcOfHttp),
    [13, 16, 7, 12, 14, 14, 14, 14, 2, 2, 2, 2],
  );
});

Deno.test("gRPC status is read from trailers, and an unreadable one is a failure", () => {
  assert.equal(grpcStatus(new Fields(["grpc-status", "0"])), 0);
  assert.equal(grpcStatus(new Fields(["grpc-status", "14"])), 14);
  assert.equal(grpcStatus(new Fields(["grpc-status", "ok"])), 2);
  assert.equal(grpcStatus(new Fields()), -1);
  assert.equal(countedStatus(200, null), 200);
  assert.equal(countedStatus(200, new Fields(["grpc-status", "0"])), 200);
  assert.equal(countedStatus(200, new Fields(["grpc-status", "14"])), 503);
  assert.equal(countedStatus(404, new Fields(["x", "y"])), 404);
});

Deno.test("grpc-timeout is a count of at most eight digits and a unit", () => {
  const cases: [string, number][] = [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["250m", 250],
    ["1500u", 2],
    ["1n", 1],
    ["0m", 0],
    ["99999999H", 99_999_999 * 3_600_000],
  ];
  for (const [text, ms] of cases) assert.equal(grpcTimeoutMs(text), ms, text);
  for (const text of ["", "m", "1", "-1m", "1.5S", "123456789m", "1s", "1 m", "1mm"]) {
    assert.equal(grpcTimeoutMs(text), -1, text);
  }
  assert.equal(grpcTimeout(0.2), "1m");
  assert.equal(grpcTimeout(99_999_999), "99999999m");
  assert.equal(grpcTimeout(100_000_001), "100001S");
});

Deno.test("grpc-message is printable ASCII with the rest percent-encoded, and bounded", () => {
  const encoded = (text: string) => grpcMessage(new TextEncoder().encode(text));
  assert.equal(encoded("a 100% failure\n"), "a 100%25 failure");
  assert.equal(encoded(" é\n☺ "), "%C3%A9%0A%E2%98%BA");
  assert.equal(encoded("x".repeat(5000)).length, MESSAGE_BYTES);
});
