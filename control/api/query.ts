/** What several calls take in their query. */
import { badValue } from "./errors.ts";

/** How many entries are wanted: 100 where nothing is said, never more than `most`. */
export function limitOf(text = "100", most: number): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= most) return Number(text);
  throw badValue("limit", `is "${text}"; wanted a whole number up to ${most}`);
}
