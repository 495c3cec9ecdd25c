/** Modules put together byte by byte, where WAT cannot say it or would be too slow (core spec §5.5). */
import { leb } from "../reader.ts";

/** Bytes, and bytes in them, … */
export type Bytes = readonly (number | Bytes)[];

export function flat(bytes: Bytes): number[] {
  const out: number[] = [];
  const add = (part: Bytes): void => {
    for (const byte of part) typeof byte === "number" ? out.push(byte) : add(byte);
  };
  add(bytes);
  return out;
}

/** A count, then the items. */
export function vector(items: readonly Bytes[]): number[] {
  return [...leb(items.length), ...flat(items)];
}

export function name(text: string): number[] {
  return sized([...new TextEncoder().encode(text)]);
}

/** A length, then the bytes. */
export function sized(bytes: Bytes): number[] {
  const content = flat(bytes);
  return [...leb(content.length), ...content];
}

/** A module of sections by id, in the order given. */
export function moduleOf(
  sections: readonly (readonly [id: number, content: Bytes])[],
): Uint8Array<ArrayBuffer> {
  const body = sections.map(([id, content]) => [id, sized(content)]);
  return new Uint8Array(flat([[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], body]));
}

/** A function type. */
export function signature(params: readonly number[], results: readonly number[]): number[] {
  return [0x60, ...sized(params), ...sized(results)];
}
