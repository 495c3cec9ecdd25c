/** Looks one parameter up in a query, without building a URL or a list. */

/**
 * The decoded value of the first parameter called `name` in `target` (a request target), or null.
 * `from` is the index behind the question mark.
 */
export function queryValue(target: string, from: number, name: string): string | null {
  for (let start = from; start <= target.length;) {
    let end = target.indexOf("&", start);
    if (end < 0) end = target.length;
    let equals = target.indexOf("=", start);
    if (equals < 0 || equals > end) equals = end;
    if (sameName(target, start, equals, name)) {
      return equals === end ? "" : decoded(target.slice(equals + 1, end));
    }
    start = end + 1;
  }
  return null;
}

function sameName(target: string, start: number, end: number, name: string): boolean {
  if (end - start === name.length) {
    if (target.startsWith(name, start)) return true;
  } else if (end - start < name.length) return false;
  // Longer in writing, or different: only an escape or a plus can still make it equal.
  const raw = target.slice(start, end);
  return (raw.includes("%") || raw.includes("+")) && decoded(raw) === name;
}

/** Plus is a space, as forms write it; a broken escape leaves the text as it stands. */
function decoded(raw: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
