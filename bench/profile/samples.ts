/**
 * Stacks as `perf script` prints them, read and counted by kind of code, by JavaScript function and by file.
 *
 *   thread PID            one block per sample, the innermost frame first
 *           ip symbol (file)
 */
import { type CodeMap, nameOf } from "./code_map.ts";
import { round2 } from "../figures.ts";

/** Whose instruction was sampled. `native` is the runtime itself: engine, collector, TLS, event loop. */
export type Kind = "kernel" | "javascript" | "native" | "allocator";

export interface Sample {
  readonly pid: number;
  readonly thread: string;
  readonly kind: Kind;
  /** Kernel or C library function, or the JavaScript function; empty where the program has no names. */
  readonly leaf: string;
  /** The innermost JavaScript function on the stack; empty when there is none. */
  readonly under: string;
}

export interface Profile {
  readonly samples: number;
  /** Share of samples by kind of code, in percent. Threads of the engine's own are apart: collector and compiler. */
  readonly kinds: Readonly<Record<Kind | "engineThreads", number>>;
  /**
   * Innermost JavaScript function with all that it called outside JavaScript: `self` is its own code,
   * `kernel` and `native` what ran for it there. In percent of all samples, most expensive first.
   */
  readonly functions: readonly FunctionShare[];
  readonly files: Readonly<Record<string, number>>;
  readonly kernel: Readonly<Record<string, number>>;
}

export interface FunctionShare {
  readonly name: string;
  readonly percent: number;
  readonly self: number;
  readonly kernel: number;
  readonly native: number;
}

/** What runs when no JavaScript is on the stack. */
const EVENT_LOOP = "(event loop)";
const MOST_FUNCTIONS = 50, MOST_FILES = 25, MOST_KERNEL = 15;
const HEADER = /^(\S.*?)\s+(\d+)\s*$/, FRAME = /^\s+([0-9a-f]+) (.*) \((.*)\)$/;

/** `maps` has the code V8 compiled, by process. */
export function readSamples(text: string, maps: ReadonlyMap<number, CodeMap>): Sample[] {
  return text.split("\n\n").flatMap((block) => {
    const [first, ...lines] = block.replace(/^\n+/, "").split("\n");
    const header = HEADER.exec(first ?? "");
    if (header === null) return [];
    const pid = Number(header[2]);
    const map = maps.get(pid) ?? [];
    const frames = lines.flatMap((line) => {
      const found = FRAME.exec(line);
      return found === null ? [] : [frameOf(found, map)];
    });
    const top = frames[0];
    if (top === undefined) return [];
    const under = frames.find((frame) => frame.kind === "javascript")?.name ?? "";
    return [{ pid, thread: header[1]!, kind: top.kind, leaf: top.name, under }];
  });
}

function frameOf(found: RegExpExecArray, map: CodeMap): { kind: Kind; name: string } {
  const [, ip, symbol, file] = found as unknown as [string, string, string, string];
  if (file.includes("kernel") || file.endsWith(".ko")) return { kind: "kernel", name: symbol };
  if (/\/libc[.-][^/]*$/.test(file)) return { kind: "allocator", name: symbol };
  const name = nameOf(map, Number.parseInt(ip, 16));
  if (name !== null) return { kind: "javascript", name };
  return { kind: "native", name: symbol === "[unknown]" ? "" : symbol };
}

export function summarise(samples: readonly Sample[]): Profile {
  const percent = (count: number): number => round2(count * 100 / Math.max(1, samples.length));
  const kinds = { kernel: 0, javascript: 0, native: 0, allocator: 0, engineThreads: 0 };
  const functions = new Map<string, { all: number; self: number; kernel: number }>();
  const files = new Map<string, number>(), kernel = new Map<string, number>();
  for (const sample of samples) {
    const ofEngine = sample.thread.startsWith("V8 ");
    kinds[ofEngine ? "engineThreads" : sample.kind]++;
    if (ofEngine) continue;
    if (sample.kind === "kernel") kernel.set(sample.leaf, (kernel.get(sample.leaf) ?? 0) + 1);
    const name = sample.under === "" ? EVENT_LOOP : sample.under;
    const one = functions.get(name) ?? { all: 0, self: 0, kernel: 0 };
    one.all++;
    if (sample.kind === "javascript") one.self++;
    if (sample.kind === "kernel") one.kernel++;
    functions.set(name, one);
    const file = fileOf(name);
    files.set(file, (files.get(file) ?? 0) + 1);
  }
  return {
    samples: samples.length,
    kinds: {
      kernel: percent(kinds.kernel),
      javascript: percent(kinds.javascript),
      native: percent(kinds.native),
      allocator: percent(kinds.allocator),
      engineThreads: percent(kinds.engineThreads),
    },
    functions: [...functions].sort(([, a], [, b]) => b.all - a.all).slice(0, MOST_FUNCTIONS)
      .map(([name, { all, self, kernel }]) => ({
        name,
        percent: percent(all),
        self: percent(self),
        kernel: percent(kernel),
        native: percent(all - self - kernel),
      })),
    files: most(files, MOST_FILES, percent),
    kernel: most(kernel, MOST_KERNEL, percent),
  };
}

function most(
  counts: ReadonlyMap<string, number>,
  limit: number,
  percent: (count: number) => number,
): Record<string, number> {
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, limit);
  return Object.fromEntries(sorted.map(([name, count]) => [name, percent(count)]));
}

/** `head proxy/flow.ts:30` → `proxy/flow.ts`. */
function fileOf(name: string): string {
  return name === EVENT_LOOP ? name : /(\S+?)(?::\d+)?$/.exec(name)?.[1] ?? name;
}
