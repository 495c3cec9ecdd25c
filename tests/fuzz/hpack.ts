/** Throws header blocks at the HPACK decoder, right ones and damaged ones: what it accepts, a model reads alike. */
import { DECODED, HpackDecoder, TOO_LARGE } from "../../proxy/h2/hpack/decoder.ts";
import { type Form, integer, ModelDecoder, ModelEncoder } from "../property/hpack_model.ts";
import { pick, type Random, type Target } from "./target.ts";

const LIMITS = { listBytes: 3000, fields: 20 };
const ALLOWED = 8192;
const NAMES = [":path", ":status", "accept", "cookie", "x-a", "x-" + "b".repeat(40)];
const VALUES = ["", "/", "200", "gzip, deflate", "v".repeat(100), "\xe9\0\xff"];
const FORMS: readonly Form[] = ["indexed", "indexed", "incremental", "without", "never"];
/** Integers where decoders go wrong. */
const EDGES = [
  0,
  1,
  30,
  31,
  61,
  62,
  63,
  126,
  127,
  128,
  4096,
  ALLOWED,
  ALLOWED + 1,
  2 ** 28,
  2 ** 31,
  2 ** 32,
];

let accepted = 0, refused = 0;

function block(model: ModelEncoder, random: Random): number[] {
  const bytes: number[] = random(5) === 0 ? model.resize(random(ALLOWED)) : [];
  for (let n = random(12); n > 0; n--) {
    const [name, value] = [pick(NAMES, random), pick(VALUES, random)];
    bytes.push(...model.field(name, value, pick(FORMS, random), random(2) === 0, random(2) === 0));
  }
  for (let n = random(4) === 0 ? 1 + random(3) : 0; n > 0; n--) {
    const at = random(bytes.length + 1);
    const put = random(3) === 0
      ? integer(
        pick([0x80, 0x40, 0x20, 0x10, 0], random),
        pick([7, 6, 5, 4], random),
        pick(EDGES, random),
      )
      : [random(256)];
    bytes.splice(at, random(3), ...put);
  }
  return bytes;
}

/** Blocks, each behind its length in two bytes. */
export const target: Target = {
  generate(random) {
    const model = new ModelEncoder();
    const all: number[] = [];
    for (let n = 1 + random(10); n > 0; n--) {
      const bytes = block(model, random);
      all.push(bytes.length >> 8, bytes.length & 255, ...bytes);
    }
    return Uint8Array.from(all);
  },
  attempt(input) {
    const decoder = new HpackDecoder(ALLOWED, LIMITS);
    const model = new ModelDecoder();
    for (let at = 0; at + 2 <= input.length;) {
      const bytes = input.slice(at + 2, at + 2 + (input[at]! << 8) + input[at + 1]!);
      at += 2 + bytes.length;
      const lines: string[] = [];
      const result = decoder.decode(bytes, lines);
      if (decoder.tableSize > ALLOWED) throw new Error(`the table has ${decoder.tableSize} bytes`);
      if (lines.length > LIMITS.fields * 2) throw new Error(`${lines.length / 2} fields were kept`);
      if (result !== DECODED && result !== TOO_LARGE) {
        refused++;
        return; // a connection ends of it
      }
      accepted++;
      const read = model.decode(bytes);
      const size = read.reduce((n, text) => n + text.length, read.length * 16);
      const large = size > LIMITS.listBytes || read.length > LIMITS.fields * 2;
      if (large !== (result === TOO_LARGE)) throw new Error("the limits are applied otherwise");
      if (!large && read.join("\n") !== lines.join("\n")) throw new Error("the lists differ");
      if (model.table.size !== decoder.tableSize) throw new Error("the tables differ");
    }
  },
  shallow: (runs) =>
    accepted < runs || refused * 20 < runs ? `${accepted} accepted, ${refused} refused` : null,
};
