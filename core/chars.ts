/** Chars of strings, without asking what kind of string it is. */

const { charCodeAt } = String.prototype;

/**
 * The code of the char at `at` (UTF-16 unit; NaN behind the end). `text.charCodeAt(at)` looks the method up
 * by the string's representation, of which V8 has a handful (flat, slice, rope, interned, …): a place that
 * sees more than four of them pays for a generic look-up with every char. Called this way there is none.
 */
export function charCode(text: string, at: number): number {
  return charCodeAt.call(text, at);
}
