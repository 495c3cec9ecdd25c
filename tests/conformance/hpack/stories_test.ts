/** The http2jp HPACK stories: decode what other encoders wrote, and read back what ours writes. */
import assert from "node:assert/strict";
import { DECODED, HpackDecoder } from "../../../proxy/h2/hpack/decoder.ts";
import { HpackEncoder } from "../../../proxy/h2/hpack/encoder.ts";
import { corpusFolder } from "../../support/corpora.ts";

interface Case {
  wire?: string;
  headers: Record<string, string>[];
  header_table_size?: number;
}

const LIMITS = { listBytes: 1 << 20, fields: 1000 };
const folder = corpusFolder("hpack");

const listOf = (c: Case): string[] => c.headers.flatMap((field) => Object.entries(field)[0]!);
const unhex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

function stories(): { name: string; cases: Case[] }[] {
  if (folder === null) return [];
  const found: { name: string; cases: Case[] }[] = [];
  for (const encoder of Deno.readDirSync(folder)) {
    if (!encoder.isDirectory) continue;
    for (const file of Deno.readDirSync(`${folder}/${encoder.name}`)) {
      if (!file.name.endsWith(".json")) continue;
      const text = Deno.readTextFileSync(`${folder}/${encoder.name}/${file.name}`);
      found.push({ name: `${encoder.name}/${file.name}`, cases: JSON.parse(text).cases });
    }
  }
  return found;
}

Deno.test({
  name: "HPACK decodes every story other encoders wrote",
  ignore: folder === null,
  fn() {
    let blocks = 0;
    for (const { name, cases } of stories()) {
      if (cases.some((c) => c.wire === undefined)) continue;
      // A story may raise the table size before its first block: the largest is what was allowed.
      const allowed = Math.max(4096, ...cases.map((c) => c.header_table_size ?? 0));
      const decoder = new HpackDecoder(allowed, LIMITS);
      for (const c of cases) {
        const lines: string[] = [];
        assert.equal(decoder.decode(unhex(c.wire!), lines), DECODED, name);
        assert.deepEqual(lines, listOf(c).map(utf8AsLatin1), name);
        blocks++;
      }
    }
    assert.ok(blocks > 1000, `only ${blocks} blocks were found`);
  },
});

Deno.test({
  name: "HPACK reads back every header list of the stories, with and without Huffman coding",
  ignore: folder === null,
  fn() {
    for (const huffman of [false, true]) {
      for (const { name, cases } of stories()) {
        const encoder = new HpackEncoder({ tableBytes: 4096, huffman });
        const decoder = new HpackDecoder(4096, LIMITS);
        cases.forEach((c, i) => {
          if (i % 5 === 3) {
            // What a peer does with its SETTINGS: the next block must announce it.
            encoder.resize(i % 2 === 0 ? 256 : 4096);
          }
          const list = listOf(c).map(utf8AsLatin1);
          encoder.begin();
          for (let k = 0; k < list.length; k += 2) encoder.field(list[k]!, list[k + 1]!);
          const lines: string[] = [];
          assert.equal(decoder.decode(encoder.finish().slice(), lines), DECODED, name);
          assert.deepEqual(lines, list, name);
          assert.equal(decoder.tableSize, encoder.tableSize, name);
        });
      }
    }
  },
});

const utf8AsLatin1 = (text: string): string =>
  String.fromCharCode(...new TextEncoder().encode(text));
