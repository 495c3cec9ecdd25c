/** The code V8 compiled and where it lies: `perf-PID.map`, written under --perf-basic-prof. */

/** Sorted by start; entries do not overlap. */
export type CodeMap = readonly Code[];

export interface Code {
  readonly start: number;
  readonly end: number;
  /** `function file:line` for JavaScript; the file is relative to the repository. */
  readonly name: string;
}

const ROOT = new URL("../../", import.meta.url).href;
/** `JS:` or `JS:*` and the like tell which compiler it came from; the same function has many such entries. */
const ENTRY = /^([0-9a-f]+) ([0-9a-f]+) (?:JS|LazyCompile|Function|Eval|Script):[~^+*']*(.*)$/;

/**
 * Reads a map. Memory of code that was dropped is used again, so a later entry replaces the earlier ones
 * it overlaps.
 */
export function readCodeMap(text: string): CodeMap {
  const latest: Code[] = [];
  for (const line of text.split("\n").reverse()) {
    const found = ENTRY.exec(line);
    if (found === null) continue;
    const start = Number.parseInt(found[1]!, 16);
    const end = start + Number.parseInt(found[2]!, 16);
    const at = firstAfter(latest, start);
    const taken = (latest[at]?.start ?? Infinity) < end || (latest[at - 1]?.end ?? 0) > start;
    if (!taken) latest.splice(at, 0, { start, end, name: shorten(found[3]!) });
  }
  return latest;
}

/** The function whose code has this address, or null. */
export function nameOf(map: CodeMap, address: number): string | null {
  const code = map[firstAfter(map, address) - 1];
  return code !== undefined && address < code.end ? code.name : null;
}

/** Index of the first entry that starts after `address`. */
function firstAfter(map: CodeMap, address: number): number {
  let low = 0, high = map.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (map[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `#send file:///…/proxy/connection.ts:118:8` → `#send proxy/connection.ts:118`. */
function shorten(name: string): string {
  return name.replace(ROOT, "").replace(/(:\d+):\d+$/, "$1").trim();
}
