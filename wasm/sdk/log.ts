/** The log of the proxy, from inside a filter. */
import { log as write } from "denim:filter/host@0.1.0";

/** Lines appear in the proxy's log with the filter's name. Values that are not text are written as JSON. */
export const log = {
  debug: (...parts: unknown[]): void => write(1, join(parts)),
  info: (...parts: unknown[]): void => write(2, join(parts)),
  warn: (...parts: unknown[]): void => write(3, join(parts)),
  error: (...parts: unknown[]): void => write(4, join(parts)),
};

function join(parts: unknown[]): string {
  return parts.map(show).join(" ");
}

function show(part: unknown): string {
  if (typeof part === "string") return part;
  if (part instanceof Error) return `${part.name}: ${part.message}\n${part.stack ?? ""}`.trimEnd();
  try {
    return JSON.stringify(part) ?? String(part);
  } catch {
    return String(part);
  }
}
