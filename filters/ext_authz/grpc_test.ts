import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import { FakeClock } from "../fakes.ts";
import { parseExtAuthzConfig } from "./config.ts";
import { GrpcProtocol } from "./grpc.ts";
import { MUTATION_LIMITS, Mutations, SET } from "./mutations.ts";
import { isUtf8, ProtoReader, ProtoWriter } from "./protobuf.ts";

const protocol = new GrpcProtocol(
  parseExtAuthzConfig({
    provider: "opa",
    policies: [],
    place: { trustDomain: "t", ports: [] },
    backend: "security/opa:9191",
    fields: [],
    timeoutMs: 100,
    failOpen: false,
    statusOnError: 403,
    destination: { principal: "", service: "" },
  }),
  new FakeClock(),
);

function read(message: Uint8Array, grpcStatus = "0") {
  const body = new Uint8Array(5 + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, 5);
  const trailers = new Fields(["grpc-status", grpcStatus]);
  return protocol.read({ fault: null, status: 200, fields: new Fields(), body, trailers });
}

Deno.test("A CheckResponse of any bytes is a decision, and never more than the limits allow", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.ok(["allow", "deny", "error"].includes(read(bytes).kind));
  }));
});

Deno.test("A CheckResponse that is cut short, or an answer that is none, allows nothing", () => {
  const status = new ProtoWriter().varint(1, 0);
  const option = new ProtoWriter().message(1, new ProtoWriter().text(1, "x-a").text(2, "b"));
  const ok = new ProtoWriter().message(2, option);
  const whole = new ProtoWriter().message(1, status).message(3, ok).bytes;
  assert.equal(read(whole).kind, "allow");
  for (let n = 1; n < whole.length; n++) {
    const { kind } = read(whole.subarray(0, n));
    // A cut between two fields leaves a good message.
    assert.ok(kind === "error" || n === status.bytes.length + 2, String(n));
  }
  assert.equal(read(whole, "14").kind, "error");
  const raw = { fault: null, status: 200, fields: new Fields(), trailers: null };
  assert.equal(protocol.read({ ...raw, body: new Uint8Array(0) }).kind, "error");
  assert.equal(protocol.read({ ...raw, status: 404, body: new Uint8Array(0) }).kind, "error");
});

Deno.test("Varints of any size are written as they are read", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 1000 }), (value, field) => {
    const reader = new ProtoReader(new ProtoWriter().varint(field, value).bytes);
    assert.ok(reader.next());
    assert.deepEqual([reader.field, reader.value, reader.next()], [field, value, false]);
  }));
});

Deno.test("Strings that are no UTF-8 lose the bytes that are no ASCII", () => {
  const written = (text: string): string => {
    const reader = new ProtoReader(new ProtoWriter().text(1, text).bytes);
    reader.next();
    return new TextDecoder("utf-8", { fatal: true }).decode(reader.content);
  };
  assert.equal(written("gr\xc3\xbcn"), "grün");
  assert.equal(written("gr\xfcn"), "gr!n");
});

Deno.test("isUtf8 agrees with the runtime's strict decoder", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lead = fc.constantFrom(
    0x61,
    0x80,
    0xbf,
    0xc1,
    0xc3,
    0xe0,
    0xa0,
    0xed,
    0x9f,
    0xf0,
    0x90,
    0xf4,
    0xff,
  );
  fc.assert(fc.property(fc.array(lead, { maxLength: 6 }), (bytes) => {
    const given = new Uint8Array(bytes);
    let good = true;
    try {
      decoder.decode(given);
    } catch {
      good = false;
    }
    assert.equal(isUtf8(given, 0, given.length), good);
  }));
});

Deno.test("Mutations that are malformed, or too many, are broken as a whole", () => {
  const broken = (name: string, value: string): boolean => {
    const mutations = new Mutations();
    mutations.put(SET, name, value);
    return mutations.broken;
  };
  assert.equal(broken("x-a", "1"), false);
  assert.equal(broken("x a", "1"), true);
  assert.equal(broken("x-a", "1\r\nx-b: 2"), true);
  assert.equal(broken("x-a", "\0"), true);
  assert.equal(broken("x-a", "x".repeat(MUTATION_LIMITS.maxBytes)), true);
  const many = new Mutations();
  for (let n = 0; n <= MUTATION_LIMITS.maxFields; n++) many.put(SET, `x-${n}`, "");
  assert.equal(many.broken, true);
});

Deno.test("Mutations leave framing, the host and the caller's name alone", () => {
  const mutations = new Mutations();
  for (const name of ["Host", "content-length", ":path", "X-Denim-Peer", "connection"]) {
    mutations.put(SET, name, "1");
    mutations.remove(name);
  }
  const fields = new Fields(["content-length", "5", "x-denim-peer", "spiffe://t/a"]);
  mutations.apply(fields);
  assert.deepEqual(fields.lines, ["content-length", "5", "x-denim-peer", "spiffe://t/a"]);
  assert.equal(mutations.broken, false);
});
