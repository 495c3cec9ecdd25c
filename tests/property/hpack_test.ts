/** HPACK against a model: whatever the choices of an encoder, lists come out as they went in and tables stay alike. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DECODED, HpackDecoder, TOO_LARGE } from "../../proxy/h2/hpack/decoder.ts";
import { HpackEncoder } from "../../proxy/h2/hpack/encoder.ts";
import { huffmanBits, huffmanDecode, huffmanEncode } from "../../proxy/h2/hpack/huffman.ts";
import { type Form, ModelDecoder, ModelEncoder } from "./hpack_model.ts";
import { runsOf } from "../support/property.ts";

const RUNS = runsOf("hpack", 200);

const LIMITS = { listBytes: 1 << 20, fields: 1000 };
const ALLOWED = 16_384;
const SECRET = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ":path",
      ":status",
      "accept",
      "x-a",
      "x-b",
      "user-agent",
      "link",
      ...SECRET,
    ),
  },
  fc.string({ unit: fc.constantFrom(..."abcxyz019-_"), minLength: 1, maxLength: 200 }),
);
const anyChar = fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c));
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("", "/", "200", "a", "bb", "x".repeat(150)) },
  fc.string({ unit: anyChar, maxLength: 40 }),
  fc.string({ unit: anyChar, maxLength: 2000 }),
);
const size = fc.oneof(fc.constantFrom(0, 31, 32, 33, 64, 100, 4096, ALLOWED), fc.nat(ALLOWED));

const written = fc.record({
  name,
  value,
  form: fc.constantFrom<Form>("indexed", "indexed", "incremental", "without", "never"),
  huffman: fc.boolean(),
  byName: fc.boolean(),
});
const block = fc.record({
  updates: fc.array(size, { maxLength: 2 }),
  fields: fc.array(written, { maxLength: 15 }),
});

Deno.test("HPACK decodes what any encoder may write, whatever it indexes, codes and evicts", () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 15 }), (blocks) => {
      const model = new ModelEncoder();
      const decoder = new HpackDecoder(ALLOWED, LIMITS);
      for (const { updates, fields } of blocks) {
        const bytes = [
          ...updates.flatMap((max) => model.resize(max)),
          ...fields.flatMap((f) => model.field(f.name, f.value, f.form, f.huffman, f.byName)),
        ];
        const lines: string[] = [];
        assert.equal(decoder.decode(Uint8Array.from(bytes), lines), DECODED);
        assert.deepEqual(lines, fields.flatMap((f) => [f.name, f.value]));
        assert.equal(decoder.tableSize, model.table.size);
      }
    }),
    RUNS,
  );
});

Deno.test("HPACK keeps its table right through blocks that are over the limits", () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 10 }), fc.nat(400), fc.nat(8), (blocks, most, n) => {
      const model = new ModelEncoder();
      const decoder = new HpackDecoder(ALLOWED, { listBytes: most, fields: n });
      for (const { updates, fields } of blocks) {
        const bytes = [
          ...updates.flatMap((max) => model.resize(max)),
          ...fields.flatMap((f) => model.field(f.name, f.value, f.form, f.huffman, f.byName)),
        ];
        const lines: string[] = [];
        const whole = fields.reduce((sum, f) => sum + f.name.length + f.value.length + 32, 0);
        const expected = whole > most || fields.length > n ? TOO_LARGE : DECODED;
        assert.equal(decoder.decode(Uint8Array.from(bytes), lines), expected);
        assert.ok(lines.length <= n * 2, "more fields than allowed were kept");
        assert.equal(decoder.tableSize, model.table.size);
      }
    }),
    RUNS,
  );
});

/** Our own cap on the table: mostly one that leaves it room. */
const cap = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(1000, 4096, ALLOWED) }, size);
const encoded = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.array(fc.tuple(name, value), { maxLength: 15 }) },
    size,
  ),
  { maxLength: 40 },
);

Deno.test("HPACK writes what a decoder reads back, and secrets so that nobody indexes them", () => {
  fc.assert(
    fc.property(encoded, fc.boolean(), cap, (steps, huffman, tableBytes) => {
      const encoder = new HpackEncoder({ tableBytes, huffman });
      const model = new ModelDecoder();
      const decoder = new HpackDecoder(ALLOWED, LIMITS);
      let allowed = 4096;
      for (const step of steps) {
        if (typeof step === "number") {
          encoder.resize(allowed = step);
          continue;
        }
        encoder.begin();
        for (const [name, value] of step) encoder.field(name, value);
        const bytes = encoder.finish().slice();
        const lines: string[] = [];
        assert.deepEqual(model.decode(bytes), step.flat());
        assert.equal(decoder.decode(bytes, lines), DECODED);
        assert.deepEqual(lines, step.flat());
        step.forEach(([name, value], i) => {
          if (!SECRET.includes(name) || value === "") return; // empty ones are in the static table
          assert.equal(model.forms[i], "never", `${name} is written so that a hop may index it`);
        });
        assert.equal(encoder.tableSize, model.table.size);
        assert.ok(model.table.max <= Math.min(allowed, Math.max(tableBytes, 0)));
      }
    }),
    RUNS,
  );
});

Deno.test("Huffman coding is read back, and any bytes are decoded or refused", () => {
  const text = fc.string({ unit: anyChar, maxLength: 300 });
  fc.assert(
    fc.property(text, fc.uint8Array({ maxLength: 60 }), fc.nat(7), (text, noise, before) => {
      const bytes = new Uint8Array(before + ((huffmanBits(text) + 7) >> 3));
      assert.equal(huffmanEncode(text, bytes, before), bytes.length);
      assert.equal(huffmanDecode(bytes, before, bytes.length), text);
      const read = huffmanDecode(noise, 0, noise.length);
      if (read === null) return;
      // The code is unambiguous: what was read is written as the very same bytes.
      const again = new Uint8Array((huffmanBits(read) + 7) >> 3);
      huffmanEncode(read, again, 0);
      assert.deepEqual(again, noise);
    }),
    RUNS,
  );
});
