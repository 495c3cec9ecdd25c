import assert from "node:assert/strict";
import fc from "fast-check";
import { isIP } from "node:net";
import { bytesOf } from "../h1/rig.ts";
import { DONE, FAILED, PROXY_HEADER_LIMITS, ProxyHeaderReader } from "./proxy_header.ts";

const RUNS = { numRuns: Number(Deno.env.get("RUNS") ?? 500) };
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** What comes of it: the source, how many bytes were the header's; or the fault. */
function read(...pieces: Uint8Array[]): string {
  const reader = new ProxyHeaderReader();
  let taken = 0;
  for (const piece of pieces) taken += reader.feed(piece);
  if (reader.state === FAILED) return reader.fault.code;
  return reader.state === DONE ? `${reader.source} ${taken}` : "reading";
}

function v2(
  command: number,
  kind: number,
  rest: readonly number[],
  length = rest.length,
): Uint8Array {
  return new Uint8Array([
    ...bytesOf(SIGNATURE),
    command,
    kind,
    length >> 8,
    length & 255,
    ...rest,
  ]);
}

const V4 = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 1, 0xbb];
const V6 = [
  ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0xfe, 0x80, ...new Array(13).fill(0), 2],
  ...[0xdc, 4, 1, 0xbb],
];
const TLV = [4, 0, 3, 1, 2, 3];

const GOOD: [what: string, bytes: Uint8Array, source: string][] = [
  ["v1 TCP4", bytesOf("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), "192.0.2.1:56324"],
  ["v1 TCP6", bytesOf("PROXY TCP6 2001:DB8::1 ::1 56324 443\r\n"), "2001:db8::1:56324"],
  [
    "v1 of the longest line",
    bytesOf(
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " +
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
    ),
    "",
  ],
  ["v1 UNKNOWN", bytesOf("PROXY UNKNOWN\r\n"), ""],
  ["v2 TCP4", v2(0x21, 0x11, V4), "192.0.2.1:56324"],
  ["v2 TCP6", v2(0x21, 0x21, V6), "2001:db8::1:56324"],
  ["v2 TCP4 with TLVs", v2(0x21, 0x11, [...V4, ...TLV, ...TLV, 5, 0, 0]), "192.0.2.1:56324"],
  ["v2 LOCAL", v2(0x20, 0x00, []), ""],
  ["v2 LOCAL with what means nothing", v2(0x20, 0x11, [1, 2, 3]), ""],
  ["v2 of an unspecified family", v2(0x21, 0x00, [1, 2, 3]), ""],
  ["v2 of a UNIX socket", v2(0x21, 0x31, new Array(216).fill(0)), ""],
  [
    "v2 of the largest length",
    v2(0x20, 0x00, new Array(PROXY_HEADER_LIMITS.v2Bytes).fill(0)),
    "",
  ],
];

for (const [what, bytes, source] of GOOD) {
  Deno.test(`ProxyHeaderReader reads ${what} and leaves what follows alone`, () => {
    assert.equal(read(bytes), `${source} ${bytes.length}`);
    const more = new Uint8Array([...bytes, ...bytesOf("GET / HTTP/1.1\r\n")]);
    assert.equal(read(more), `${source} ${bytes.length}`);
    assert.equal(read(bytes.subarray(0, bytes.length - 1)), "reading");
    assert.equal(
      read(...Array.from(bytes, (byte) => new Uint8Array([byte]))),
      `${source} ${bytes.length}`,
    );
  });
}

const BAD: [what: string, bytes: Uint8Array][] = [
  ["an HTTP request", bytesOf("G")],
  ["a TLS hello", new Uint8Array([22])],
  ["another word", bytesOf("PROXX")],
  ["lower case", bytesOf("proxy")],
  ["a line that ends in LF alone", bytesOf("PROXY UNKNOWN\n")],
  ["no family", bytesOf("PROXY \r\n")],
  ["a family nobody knows", bytesOf("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n")],
  ["an IPv6 address for TCP4", bytesOf("PROXY TCP4 ::1 1.2.3.4 1 2\r\n")],
  ["an IPv4 address for TCP6", bytesOf("PROXY TCP6 1.2.3.4 ::1 1 2\r\n")],
  ["an address with a leading zero", bytesOf("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n")],
  ["an address with a zone", bytesOf("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n")],
  ["a bad destination", bytesOf("PROXY TCP4 1.2.3.4 1.2.3.256 1 2\r\n")],
  ["a port over 65535", bytesOf("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n")],
  ["a port with a leading zero", bytesOf("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n")],
  ["a port with a sign", bytesOf("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n")],
  ["two spaces", bytesOf("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n")],
  ["a word too many", bytesOf("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n")],
  ["a control character", bytesOf("PROXY UNKNOWN \0\r\n")],
  ["a broken signature", bytesOf("\r\n\r\n\0\r\nQUIX")],
  ["version 1 in the binary form", v2(0x11, 0x11, V4)],
  ["an unknown command", v2(0x22, 0x11, V4)],
  ["UDP", v2(0x21, 0x12, V4)],
  ["an unknown family", v2(0x21, 0x41, V4)],
  ["addresses that are cut short", v2(0x21, 0x11, V4.slice(0, 11))],
  ["IPv6 addresses of the size of IPv4", v2(0x21, 0x21, V4)],
  ["half a TLV", v2(0x21, 0x11, [...V4, 4, 0])],
  ["a TLV that goes beyond the end", v2(0x21, 0x11, [...V4, 4, 0, 9, 1])],
];

for (const [what, bytes] of BAD) {
  Deno.test(`ProxyHeaderReader refuses ${what}`, () => {
    assert.equal(read(bytes), "proxy_protocol.bad_header");
  });
}

Deno.test("ProxyHeaderReader refuses what is too large before it has come", () => {
  const { v1Bytes, v2Bytes } = PROXY_HEADER_LIMITS;
  assert.equal(read(bytesOf(`PROXY UNKNOWN ${"x".repeat(v1Bytes)}`)), "proxy_protocol.too_large");
  assert.equal(read(v2(0x20, 0, [], v2Bytes + 1)), "proxy_protocol.too_large");
});

Deno.test("ProxyHeaderReader gives the same for every split of any bytes", () => {
  const header = fc.constantFrom(
    ...GOOD.map(([, bytes]) => bytes),
    ...BAD.map(([, bytes]) => bytes),
  );
  const mutated = fc.tuple(
    header,
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    fc.nat(300),
  )
    .map(([bytes, flips, extra]) => {
      const all = new Uint8Array([...bytes, ...new Array(extra).fill(65)]);
      for (const [at, value] of flips) all[at % all.length] = value;
      return all;
    });
  fc.assert(
    fc.property(
      fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })),
      fc.array(fc.nat(400)),
      (bytes, cuts) => {
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
        const whole = read(bytes);
        assert.equal(read(...pieces), whole);
        const source = /^(\S+):(\d+) \d+$/.exec(whole);
        if (source !== null) assert.notEqual(isIP(source[1]!), 0, whole);
      },
    ),
    RUNS,
  );
});

Deno.test("ProxyHeaderReader writes IPv6 addresses as RFC 5952 wants them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (ip) => {
      const source = read(v2(0x21, 0x21, [...ip, ...V6.slice(16)])).split(" ")[0]!;
      const text = source.slice(0, source.lastIndexOf(":"));
      assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
    }),
    RUNS,
  );
  for (
    const [bytes, text] of [
      [new Array(16).fill(0), "::"],
      [[...new Array(15).fill(0), 1], "::1"],
      [[0, 1, ...new Array(14).fill(0)], "1::"],
      [[0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7], "1:0:2:3:4:5:6:7"],
    ] as const
  ) {
    const source = read(v2(0x21, 0x21, [...bytes, ...V6.slice(16)])).split(" ")[0]!;
    assert.equal(source.slice(0, source.lastIndexOf(":")), text);
  }
});
