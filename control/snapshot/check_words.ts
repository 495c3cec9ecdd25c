/** The words in which references to what is not there are reported. */
import { nearest } from "../schema/problems.ts";

/** Says what is wrong at a path of one resource. */
export type Report = (path: string, message: string) => void;

export function missing(kind: string, name: string, known: Iterable<string>): string {
  return `names ${kind} "${name}", which does not exist and is not in this input` +
    suggestion(name, known);
}

export function suggestion(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === null ? "" : `; did you mean "${near}"?`;
}
