/** The lines that differ between two texts, with a little around them. */

/** Texts with more lines than this are shown whole instead of compared. */
export const MAX_DIFF_LINES = 4000;

/** Lines with ` `, `-` or `+` before them; unchanged stretches beyond `around` lines are left out. */
export function diffLines(before: string, after: string, around = 3): string[] {
  const a = linesOf(before), b = linesOf(after);
  if (a.length > MAX_DIFF_LINES || b.length > MAX_DIFF_LINES) {
    return [...a.map((line) => `-${line}`), ...b.map((line) => `+${line}`)];
  }
  return trimmed(merge(a, b), around);
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** Longest common subsequence, after what both begin and end with is set aside. */
function merge(a: readonly string[], b: readonly string[]): string[] {
  let start = 0, end = 0;
  const least = Math.min(a.length, b.length);
  while (start < least && a[start] === b[start]) start++;
  while (end < least - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = mergeMiddle(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const same = (line: string): string => ` ${line}`;
  return [...a.slice(0, start).map(same), ...middle, ...a.slice(a.length - end).map(same)];
}

function mergeMiddle(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  // lengths[i * width + j]: of the longest common subsequence of a from i and b from j.
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1]! + 1
        : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const merged: string[] = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      merged.push(` ${a[i]}`);
      i++, j++;
    } else if (
      j >= b.length ||
      (i < a.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!)
    ) merged.push(`-${a[i++]}`);
    else merged.push(`+${b[j++]}`);
  }
  return merged;
}

function trimmed(lines: readonly string[], around: number): string[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - around), at + around + 1).some((line) => !line.startsWith(" "))
  );
  const kept: string[] = [];
  lines.forEach((line, at) => {
    if (near[at]) kept.push(line);
    else if (at === 0 || near[at - 1]) kept.push(" …");
  });
  return kept;
}
