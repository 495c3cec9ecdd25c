/** What `--trace-gc` prints of the collector's work on the main thread. */

export interface Collections {
  readonly count: number;
  /** Time the program stood still for them. */
  readonly ms: number;
}

export interface GcFigures {
  readonly scavenges: Collections;
  readonly markCompacts: Collections;
  /** Steps of marking between them, in ms of the main thread. */
  readonly markingMs: number;
}

const SCAVENGE = /\bScavenge\b.* MB, ([\d.]+) \/ /,
  MARK_COMPACT = /\bMark-Compact\b.* MB, ([\d.]+) \/ /;
const STEPS = /\(\+ ([\d.]+) ms in \d+ steps/;

/** Lines of anything else are skipped. */
export function readGcTrace(text: string): GcFigures {
  const lines = text.split("\n");
  return {
    scavenges: collections(lines, SCAVENGE),
    markCompacts: collections(lines, MARK_COMPACT),
    markingMs: collections(lines, STEPS).ms,
  };
}

function collections(lines: readonly string[], pattern: RegExp): Collections {
  const times = lines.flatMap((line) => {
    const found = pattern.exec(line);
    return found === null ? [] : [Number(found[1])];
  });
  return { count: times.length, ms: Math.round(times.reduce((sum, ms) => sum + ms, 0)) };
}
