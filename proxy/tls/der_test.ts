/** DER: one encoding per value; every other one is a fault. */
import assert from "node:assert/strict";
import { DerReader, TAG } from "./der.ts";
import { bytesOf, element, oid, sequence, unsigned } from "./der_writer.ts";

const reader = (hex: string): DerReader => new DerReader(Uint8Array.fromHex(hex));

Deno.test("DerReader reads back what the writer wrote when lengths need one, two and three octets", () => {
  for (const size of [0, 127, 128, 255, 256, 65_535, 65_536]) {
    const der = new DerReader(element(TAG.octetString, new Uint8Array(size)));
    assert.equal(der.contents(TAG.octetString).length, size);
    der.finish();
    assert.equal(der.fault, null);
  }
});

Deno.test("DerReader refuses lengths that are indefinite, padded or past the end", () => {
  const cases: readonly [string, RegExp][] = [
    ["30800000", /bad length/],
    ["04810100", /not minimal/],
    ["0482000100", /not minimal/],
    ["048500000000010000", /bad length/],
    ["0403ff", /past its end/],
    ["04", /bad length/],
    ["0482ff", /bad length/],
  ];
  for (const [hex, wanted] of cases) {
    const der = reader(hex);
    der.element(der.tag);
    assert.match(der.fault ?? "none", wanted, hex);
  }
});

Deno.test("DerReader keeps its first fault and gives nothing afterwards", () => {
  const der = reader("020101" + "0101ff");
  assert.equal(der.boolean(), false);
  assert.match(der.fault ?? "", /unexpected tag/);
  assert.equal(der.atEnd, true);
  assert.equal(der.smallInteger(), 0);
  assert.equal(der.oid(), "");
  assert.equal(der.time(), 0);
  assert.match(der.fault ?? "", /unexpected tag/);
});

Deno.test("DerReader finds trailing bytes in and after an element", () => {
  const outside = reader("02010100");
  outside.smallInteger();
  outside.finish();
  assert.equal(outside.fault, "trailing bytes");
  const inside = reader("3004020101ff");
  const body = inside.enter(TAG.sequence);
  body.smallInteger();
  body.finish();
  assert.equal(inside.fault, "trailing bytes");
});

Deno.test("DerReader takes integers in their minimal form only", () => {
  assert.equal(new DerReader(unsigned(Uint8Array.of(0, 0, 200))).smallInteger(), 200);
  assert.equal(new DerReader(unsigned(Uint8Array.of(1, 0))).smallInteger(), 256);
  for (const hex of ["0200", "02020001", "0202ff80"]) {
    const der = reader(hex);
    der.integer();
    assert.equal(der.fault, "bad integer", hex);
  }
  const negative = reader("0201ff");
  negative.smallInteger();
  assert.equal(negative.fault, "integer out of range");
});

Deno.test("DerReader takes booleans of 00 and ff only", () => {
  assert.equal(reader("0101ff").boolean(), true);
  assert.equal(reader("010100").boolean(), false);
  for (const hex of ["010101", "0100", "0102ffff"]) {
    const der = reader(hex);
    der.boolean();
    assert.equal(der.fault, "bad boolean", hex);
  }
});

Deno.test("DerReader reads object identifiers and refuses padded or unfinished ones", () => {
  for (const id of ["2.5.29.17", "1.2.840.10045.4.3.2", "1.3.6.1.5.5.7.3.2", "2.999.1"]) {
    assert.equal(new DerReader(oid(id)).oid(), id);
  }
  for (const hex of ["0600", "06025580", "0603558011", "0602ff"]) {
    const der = reader(hex);
    der.oid();
    assert.notEqual(der.fault, null, hex);
  }
});

Deno.test("DerReader reads named bits and refuses trailing zeros, which DER removes", () => {
  assert.equal(reader("03020780").namedBits(), 1);
  assert.equal(reader("03020106").namedBits(), (1 << 5) | (1 << 6));
  assert.equal(reader("0303070080").namedBits(), 1 << 8);
  for (const hex of ["03020080", "03020781", "030100", "03020700", "0301", "03020880"]) {
    const der = reader(hex);
    der.namedBits();
    assert.notEqual(der.fault, null, hex);
  }
});

Deno.test("DerReader reads times of RFC 5280 and refuses every other spelling", () => {
  const at = (tag: number, text: string): DerReader => new DerReader(element(tag, bytesOf(text)));
  assert.equal(at(TAG.utcTime, "261124033000Z").time(), Date.UTC(2026, 10, 24, 3, 30));
  assert.equal(at(TAG.utcTime, "500101000000Z").time(), Date.UTC(1950, 0, 1));
  assert.equal(at(TAG.generalizedTime, "20500101000000Z").time(), Date.UTC(2050, 0, 1));
  const bad: readonly [number, string][] = [
    [TAG.utcTime, "2611240330Z"],
    [TAG.utcTime, "261124033000+0000"],
    [TAG.utcTime, "260230000000Z"],
    [TAG.utcTime, "261124250000Z"],
    [TAG.utcTime, "20261124033000Z"],
    [TAG.generalizedTime, "20261124033000Z"], // belongs into UTCTime
    [TAG.generalizedTime, "20510101000000.5Z"],
    [TAG.generalizedTime, "20511301000000Z"],
  ];
  for (const [tag, text] of bad) {
    const der = at(tag, text);
    der.time();
    assert.notEqual(der.fault, null, text);
  }
});

Deno.test("DerReader.enterIf leaves an element of another tag in place", () => {
  const der = new DerReader(sequence());
  assert.equal(der.enterIf(TAG.set), null);
  assert.notEqual(der.enterIf(TAG.sequence), null);
  assert.equal(der.fault, null);
});
