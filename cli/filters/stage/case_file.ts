/** Reads files of cases; what is wrong is told with file and line. */
import { join } from "node:path";
import { type Document, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { type Case, fileSchema } from "./case.ts";

export class CaseError extends Error {
  override name = "CaseError";
}

export interface CaseFile {
  readonly path: string;
  readonly cases: readonly Case[];
  /** Of each case, where it begins. */
  readonly lines: readonly number[];
  /** Kept for `--update`, which changes values and leaves the rest of the text alone. */
  readonly document: Document;
}

const FILE_LIMIT = 1024 * 1024;

/** Throws {@link CaseError}, one line for each mistake. */
export function parseCases(path: string, text: string): CaseFile {
  if (text.length > FILE_LIMIT) throw new CaseError(`${path} is larger than ${FILE_LIMIT} bytes`);
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = counter.linePos(broken.pos[0]);
    throw new CaseError(`${path}:${line}: this is not YAML: ${broken.message.split("\n")[0]}`);
  }
  const lineOf = (where: readonly PropertyKey[]): number =>
    counter.linePos(offsetOf(document, where)).line;
  const result = fileSchema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (!result.success) {
    throw new CaseError(
      result.error.issues.map((issue) =>
        `${path}:${lineOf(issue.path)}: ${explain(issue, document)}`
      ).join(
        "\n",
      ),
    );
  }
  const { cases } = result.data;
  return { path, cases, lines: cases.map((_, i) => lineOf(["cases", i])), document };
}

/** Of the node at `where`, or of the nearest one above it that is there. */
function offsetOf(document: Document, where: readonly PropertyKey[]): number {
  for (let length = where.length; length >= 0; length--) {
    const node = document.getIn(where.slice(0, length), true) as {
      range?: [number, number, number];
    } | undefined;
    if (node?.range === undefined) continue;
    // A map begins with its first key, which may be on the line of what it belongs to.
    if (!isScalar(node) || length === where.length) return node.range[0];
  }
  return 0;
}

function explain(issue: z.core.$ZodIssue, document: Document): string {
  const at = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => `"${key}"`).join(", ");
    return `${at === "" ? "the file" : at} has no field ${keys}`;
  }
  if (issue.code === "invalid_key") return `${at} is not right: ${issue.issues[0]!.message}`;
  if (!document.hasIn(issue.path)) return `${at} is missing: ${issue.message}`;
  return `${at} is not right: ${issue.message}`;
}

/** The files of `tests/` in a filter's folder, none where there is no such folder; mistakes of all of them at once. */
export async function readCases(dir: string): Promise<CaseFile[]> {
  const folder = join(dir, "tests");
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && /\.ya?ml$/.test(name)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const files: CaseFile[] = [], mistakes: string[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    try {
      files.push(parseCases(path, await Deno.readTextFile(path)));
    } catch (error) {
      if (!(error instanceof CaseError)) throw error;
      mistakes.push(error.message);
    }
  }
  if (mistakes.length > 0) throw new CaseError(mistakes.join("\n"));
  return files;
}
