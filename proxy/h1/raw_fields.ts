/**
 * Fields that still know the bytes they were read from, so that a proxy writes what no filter touched
 * by copying runs of lines: 0.1 µs instead of the 1 µs that a usual head costs char by char.
 *
 * Only lines in the plain form `Name: value` CR LF are copied; their bytes passed the parser's checks.
 * All others, and all that a filter changed or added, are written anew.
 */
import { Fields } from "../../core/fields.ts";

/** In place of the offsets of a line that is not in the plain form. */
export const NOT_PLAIN = -1;

export class RawFields extends Fields {
  /** The bytes the head came in; null once written, and when they are gone. */
  raw: Uint8Array | null;
  /** The lines as they were read; a string that is still the same one has not been changed. */
  readonly given: readonly string[];
  /** Where each given line begins and ends in `raw`. */
  readonly spans: readonly number[];

  constructor(lines: string[], raw: Uint8Array, spans: readonly number[]) {
    super(lines);
    this.raw = raw;
    this.given = lines.slice();
    this.spans = spans;
  }
}
