/** An admitted module without its fuel charges, to measure what they cost. No proxy outside a bench may run one. */
import { concat } from "../../core/bytes.ts";
import { decodeBundle, encodeBundle, isBundle } from "../../wasm/component/bundle.ts";
import { FUEL_EXPORT } from "../../wasm/instrument.ts";
import { OP, skipImmediates } from "../../wasm/opcodes.ts";
import { parseModule, SECTION, skipValueType } from "../../wasm/parse.ts";
import { leb, Reader } from "../../wasm/reader.ts";

/**
 * The counter stays, and is never taken from: a host that looks for it finds it. `artefact` is a core
 * module or a bundle of them.
 */
export function unmetered(artefact: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!isBundle(artefact)) return withoutCharges(artefact);
  const { header, glue, cores } = decodeBundle(artefact);
  return encodeBundle({
    imports: header.imports,
    instrumenter: header.instrumenter,
    glue,
    cores: [...cores].map(([name, bytes]) => ({ name, bytes: withoutCharges(bytes) })),
  });
}

function withoutCharges(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const module = parseModule(bytes);
  const fuel = module.exports.find((one) => one.name === FUEL_EXPORT);
  if (fuel === undefined) throw new Error("The module is not metered");
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  for (const section of module.sections) {
    if (section.id !== SECTION.code) {
      parts.push(bytes.subarray(section.at, section.end));
      continue;
    }
    const reader = new Reader(bytes, section.start, section.end);
    const count = reader.u32();
    const bodies: Uint8Array[] = [Uint8Array.from(leb(count))];
    for (let i = 0; i < count; i++) {
      const size = reader.u32();
      const body = bodyWithout(new Reader(bytes, reader.at, reader.at + size), fuel.index);
      reader.skip(size);
      bodies.push(Uint8Array.from(leb(lengthOf(body))), ...body);
    }
    parts.push(Uint8Array.from([section.id, ...leb(lengthOf(bodies))]), ...bodies);
  }
  return concat(parts);
}

/** Only charges name the counter: each begins by reading it and ends with the `end` of its `if`. */
function bodyWithout(reader: Reader, fuel: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let from = reader.at;
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    skipValueType(reader);
  }
  while (!reader.done) {
    const at = reader.at;
    const op = reader.u8();
    if (op !== OP.globalGet) {
      skipImmediates(reader, op);
      continue;
    }
    if (reader.u32() !== fuel) continue;
    parts.push(reader.bytes.subarray(from, at));
    for (let inside = reader.u8(); inside !== OP.end; inside = reader.u8()) {
      skipImmediates(reader, inside);
    }
    from = reader.at;
  }
  parts.push(reader.bytes.subarray(from, reader.end));
  return parts;
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
