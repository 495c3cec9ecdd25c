import assert from "node:assert/strict";
import fc from "fast-check";
import { ClientHelloReader, DONE, FAILED, HELLO_LIMITS, READING } from "./client_hello.ts";

const RUNS = { numRuns: Number(Deno.env.get("RUNS") ?? 300) };

type Part = number | readonly number[];
const flat = (...parts: Part[]): number[] => parts.flatMap((part) => part);
const u16 = (n: number): number[] => [n >> 8, n & 255];
const u24 = (n: number): number[] => [n >> 16, (n >> 8) & 255, n & 255];
const vector16 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];

function nameExtension(name: readonly number[], type = 0): number[] {
  return flat(u16(0), vector16(vector16(flat(type, vector16(name)))));
}

interface Shape {
  readonly extensions?: readonly number[] | null;
  readonly session?: number;
  readonly suites?: readonly number[];
  readonly compressions?: readonly number[];
  readonly after?: readonly number[];
}

/** A ClientHello message. */
function hello(shape: Shape = {}): number[] {
  const { session = 32, suites = [0x13, 1], compressions = [0], after = [] } = shape;
  const { extensions = flat(u16(43), vector16([2, 3, 4])) } = shape;
  const body = flat(
    [3, 3],
    new Array(32).fill(7),
    session,
    new Array(session).fill(9),
    vector16(suites),
    compressions.length,
    compressions,
    extensions === null ? [] : vector16(extensions),
    after,
  );
  return flat(1, u24(body.length), body);
}

/** The message in records of at most `most` bytes. */
function records(message: readonly number[], most = 1 << 14): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < message.length; at += most) {
    const fragment = message.slice(at, at + most);
    bytes.push(...flat([22, 3, 1], vector16(fragment)));
  }
  return new Uint8Array(bytes);
}

function read(...pieces: Uint8Array[]): ClientHelloReader {
  const reader = new ClientHelloReader();
  for (const piece of pieces) reader.feed(piece);
  return reader;
}

function outcome({ state, name, fault }: ClientHelloReader): string {
  return state === DONE ? `name ${name}` : state === FAILED ? fault.code : "reading";
}

Deno.test("ClientHelloReader finds the name a client asks for, in lower case", () => {
  const extensions = flat(u16(10), vector16([1, 2]), nameExtension(ascii("Shop.Example")));
  assert.equal(outcome(read(records(hello({ extensions })))), "name shop.example");
});

Deno.test("ClientHelloReader takes hellos without a name or without extensions", () => {
  assert.equal(outcome(read(records(hello()))), "name ");
  assert.equal(outcome(read(records(hello({ extensions: [] })))), "name ");
  assert.equal(outcome(read(records(hello({ extensions: null })))), "name ");
});

Deno.test("ClientHelloReader knows at the first byte that it is no TLS", () => {
  for (const text of ["GET / HTTP/1.1", "SSH-2.0-x", "\x80\x2e\x01", "\x15\x03\x03\x00\x02"]) {
    const byte = new Uint8Array([text.charCodeAt(0)]);
    assert.equal(outcome(read(byte)), "tls.not_tls", text);
  }
  assert.equal(outcome(read(new Uint8Array([22]))), "reading");
  assert.equal(outcome(read(new Uint8Array([22, 2]))), "tls.not_tls");
});

const BAD: [what: string, bytes: Uint8Array][] = [
  ["an empty record", new Uint8Array([22, 3, 1, 0, 0])],
  ["a record over 2^14", new Uint8Array([22, 3, 1, 0x40, 1])],
  ["another handshake message", records([2, 0, 0, 1, 0])],
  ["an empty message", records([1, 0, 0, 0])],
  ["a session id over 32 bytes", records(hello({ session: 33 }))],
  ["no cipher suites", records(hello({ suites: [] }))],
  ["half a cipher suite", records(hello({ suites: [1, 2, 3] }))],
  ["no compression method", records(hello({ compressions: [] }))],
  ["bytes after the extensions", records(hello({ after: [0] }))],
  ["an extension that ends outside", records(hello({ extensions: [0, 10, 0, 9, 1] }))],
  ["half an extension", records(hello({ extensions: [0, 10, 0] }))],
  [
    "two names",
    records(hello({ extensions: flat(nameExtension(ascii("a")), nameExtension(ascii("b"))) })),
  ],
  ["an unknown type of name", records(hello({ extensions: nameExtension(ascii("a"), 1) }))],
  ["an empty name", records(hello({ extensions: nameExtension([]) }))],
  ["an empty list of names", records(hello({ extensions: flat(u16(0), vector16(u16(0))) }))],
  ["an empty extension of names", records(hello({ extensions: flat(u16(0), u16(0)) }))],
  ...["a\0b", "a b", "a/b", "*.a", "a..b", ".a", "a.", "\xe9", "[::1]", "a:443"].map((
    name,
  ): [string, Uint8Array] => [
    `the name ${JSON.stringify(name)}`,
    records(hello({ extensions: nameExtension([...name].map((c) => c.charCodeAt(0))) })),
  ]),
  [
    "a name over 253 bytes",
    records(hello({ extensions: nameExtension(ascii("a".repeat(254))) })),
  ],
];

for (const [what, bytes] of BAD) {
  Deno.test(`ClientHelloReader refuses ${what}`, () => {
    assert.equal(outcome(read(bytes)), "tls.bad_hello");
  });
}

Deno.test("ClientHelloReader refuses a hello over its limit before it has come", () => {
  const large = flat(1, u24(HELLO_LIMITS.bytes + 1), 0);
  assert.equal(outcome(read(records(large))), "tls.hello_too_large");
  const just = flat(u16(21), vector16(new Array(HELLO_LIMITS.bytes - 79).fill(0)));
  const message = hello({ extensions: just });
  assert.equal(message.length - 4, HELLO_LIMITS.bytes);
  assert.equal(outcome(read(records(message))), "name ");
});

Deno.test("ClientHelloReader refuses a hello in more records than its limit", () => {
  const message = hello({ extensions: nameExtension(ascii("a.example")) });
  const size = Math.ceil(message.length / HELLO_LIMITS.records);
  assert.equal(outcome(read(records(message, size))), "name a.example");
  assert.equal(outcome(read(records(message, size - 1))), "tls.hello_too_large");
});

/** Hellos, good and mutated, as the wire may bring them. */
const wire = fc.record({
  name: fc.oneof(fc.domain(), fc.constant(""), fc.string({ maxLength: 300 })),
  most: fc.integer({ min: 1, max: 400 }),
  flips: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
  length: fc.option(fc.nat(400)),
}).map(({ name, most, flips, length }) => {
  const extensions = name === "" ? [] : nameExtension(ascii(name));
  const bytes = records(hello({ extensions }), most);
  for (const [at, value] of flips) bytes[at % bytes.length] = value;
  return length === null ? bytes : bytes.subarray(0, length);
});

Deno.test("ClientHelloReader gives the same for every split of any bytes", () => {
  fc.assert(
    fc.property(
      fc.oneof(wire, fc.uint8Array({ maxLength: 600 })),
      fc.array(fc.nat(600), { maxLength: 8 }),
      (bytes, cuts) => {
        const whole = outcome(read(bytes));
        const pieces: Uint8Array[] = [];
        let from = 0;
        for (
          const cut of [...cuts.filter((one) => one < bytes.length), bytes.length].sort((a, b) =>
            a - b
          )
        ) {
          pieces.push(bytes.subarray(from, cut));
          from = cut;
        }
        assert.equal(outcome(read(...pieces)), whole);
        assert.equal(outcome(read(...Array.from(bytes, (byte) => new Uint8Array([byte])))), whole);
      },
    ),
    RUNS,
  );
});

Deno.test("ClientHelloReader is never done before the whole hello is there", () => {
  const bytes = records(hello({ extensions: nameExtension(ascii("shop.example")) }), 50);
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(read(bytes.subarray(0, cut)).state, READING, `at ${cut}`);
  }
  assert.equal(read(bytes).state, DONE);
});
