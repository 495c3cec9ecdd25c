/** The http2jp HPACK stories: decode what other encoders wrote, and read back what ours writes. */
import assert from "node:assert/strict";
import { DECODED, HpackDecoder } from "../../../proxy/h2/hpack/decoder.ts";
import { HpackEncoder } from "../../../proxy/h2/hpack/encoder.ts";
import { ModelDecoder } from "../../property/hpack_model.ts";
import { corpusFolder } from "../../support/corpora.ts";

interface Case {
  /** Absent in raw-data, whose lists nobody has encoded. */
  wire?: string;
  headers: Record<string, string>[];
  /** What the decoder's SETTINGS said, and the encoder acknowledged, just before this case. */
  header_table_size?: number;
}
interface Story {
  readonly encoder: string;
  readonly name: string;
  readonly cases: readonly Case[];
}

const LIMITS = { listBytes: 1 << 20, fields: 1000 };
const folder = corpusFolder("hpack");
const STORIES = stories();

const listOf = (c: Case): string[] =>
  c.headers.flatMap((field) => Object.entries(field)[0]!).map(utf8AsLatin1);
const unhex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

function stories(): Story[] {
  if (folder === null) return [];
  const found: Story[] = [];
  for (const { name: encoder, isDirectory } of Deno.readDirSync(folder)) {
    if (!isDirectory) continue;
    for (const { name: file } of Deno.readDirSync(`${folder}/${encoder}`)) {
      if (!file.endsWith(".json")) continue;
      const { cases } = JSON.parse(Deno.readTextFileSync(`${folder}/${encoder}/${file}`));
      found.push({ encoder, name: `${encoder}/${file}`, cases });
    }
  }
  return found;
}

Deno.test({
  name: "HPACK decodes every story other encoders wrote, and keeps the table they keep",
  ignore: folder === null,
  fn() {
    const encoders = new Set<string>();
    let read = 0, blocks = 0, changes = 0;
    for (const { encoder, name, cases } of STORIES) {
      if (encoder === "raw-data") continue;
      // A story may raise the table size before its first block: the largest is what was allowed.
      const allowed = Math.max(4096, ...cases.map((c) => c.header_table_size ?? 0));
      const decoder = new HpackDecoder(allowed, LIMITS);
      const model = new ModelDecoder();
      let size = 4096;
      for (const c of cases) {
        if ((c.header_table_size ?? size) !== size) changes++;
        size = c.header_table_size ?? size;
        const lines: string[] = [], wire = unhex(c.wire!);
        assert.equal(decoder.decode(wire, lines), DECODED, name);
        assert.deepEqual(lines, listOf(c), name);
        assert.deepEqual(model.decode(wire), lines, name);
        assert.equal(decoder.tableSize, model.table.size, name);
        assert.ok(decoder.tableSize <= size, `${name}: the table is larger than announced`);
        blocks++;
      }
      encoders.add(encoder);
      read++;
    }
    console.log(
      `covered ${blocks} blocks of ${read} stories by ${[...encoders].join(", ")}; ` +
        `${changes} changes of the table's size`,
    );
    const all = STORIES.filter(({ encoder }) => encoder !== "raw-data");
    assert.equal(blocks, all.reduce((n, { cases }) => n + cases.length, 0));
    assert.ok(encoders.size > 1 && changes > 1, "stories are missing from the corpus");
  },
});

for (const huffman of [false, true]) {
  const how = huffman ? "with Huffman coding" : "as plain text";
  Deno.test({
    name: `HPACK reads back every header list of the stories, written ${how}`,
    ignore: folder === null,
    fn() {
      let lists = 0, bytes = 0, plain = 0, changes = 0;
      for (const { name, cases } of STORIES) {
        const encoder = new HpackEncoder({ tableBytes: 4096, huffman });
        const decoder = new HpackDecoder(4096, LIMITS);
        const model = new ModelDecoder();
        const sized = cases.some((c) =>
          c.header_table_size !== undefined && c.header_table_size < 4096
        );
        cases.forEach((c, i) => {
          // What a peer does with its SETTINGS: as the story says, or small and large in turn, or both at once.
          const sizes = sized
            ? [c.header_table_size ?? -1].filter((size) => size >= 0)
            : i % 5 === 3
            ? [[256], [4096], [0, 4096], [1000, 100]][i % 4]!
            : [];
          for (const size of sizes) encoder.resize(size);
          changes += sizes.length;
          const list = listOf(c);
          encoder.begin();
          for (let k = 0; k < list.length; k += 2) encoder.field(list[k]!, list[k + 1]!);
          const block = encoder.finish().slice();
          const lines: string[] = [];
          assert.equal(decoder.decode(block, lines), DECODED, name);
          assert.deepEqual(lines, list, name);
          assert.deepEqual(model.decode(block), list, name);
          assert.equal(decoder.tableSize, encoder.tableSize, name);
          assert.equal(model.table.size, encoder.tableSize, name);
          lists++;
          bytes += block.length;
          plain += list.reduce((n, text) => n + text.length + 1, 0);
        });
      }
      console.log(
        `covered ${lists} lists of ${STORIES.length} stories, written ${how} in ` +
          `${
            Math.round(100 * bytes / plain)
          }% of their size; ${changes} changes of the table's size`,
      );
      assert.equal(lists, STORIES.reduce((n, { cases }) => n + cases.length, 0));
      assert.ok(bytes < plain * 0.8, "hardly anything is indexed");
    },
  });
}

function utf8AsLatin1(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
