/** What people read: aligned tables, YAML or JSON, short times and sizes. */
import { stringify } from "yaml";
import { type Args, type FlagSpec, UsageError } from "./args.ts";

export const OUTPUT_FLAG = {
  output: { value: "table|yaml|json", short: "o", default: "table", help: "Form of the output" },
} as const satisfies Record<string, FlagSpec>;

export type OutputForm = "table" | "yaml" | "json";

export function outputForm(args: Args): OutputForm {
  const form = args.text("output");
  if (form === "table" || form === "yaml" || form === "json") return form;
  throw new UsageError(`--output is "${form}"; wanted table, yaml or json`);
}

/** Control characters and escape sequences of others must not reach the terminal. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** Columns as wide as they must be; the last one is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(CONTROLS, " ")));
  const widths = head.map((title, at) =>
    Math.max(title.length, ...clean.map((row) => (row[at] ?? "").length))
  );
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => at === row.length - 1 ? cell : cell.padEnd(widths[at]!)).join("  ")
      .trimEnd();
  return [line(head), ...clean.map(line)].join("\n");
}

/** JSON, or YAML with one document for each of several values. */
export function structured(form: "yaml" | "json", value: unknown): string {
  if (form === "json") return JSON.stringify(value, null, 2);
  if (!Array.isArray(value)) return stringify(value).trimEnd();
  return value.map((one) => stringify(one).trimEnd()).join("\n---\n");
}

/** A moment to the second, `2026-03-01T12:00:00Z`, of Unix milliseconds or an ISO text. */
export function moment(at: number | string): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** `5s`, `12m`, `3h`, `9d`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)}M`;
}

/** A count with at most four digits: `950`, `12.3k`, `4.6M`. */
export function short(count: number): string {
  if (count < 1000) return String(Math.round(count));
  const units = ["k", "M", "G", "T"];
  let value = count;
  for (const unit of units) {
    value /= 1000;
    if (value < 1000 || unit === "T") return `${value.toFixed(value < 100 ? 1 : 0)}${unit}`;
  }
  return String(count);
}
